"""The meta tags of any page, parsed by the rules of HTML."""

import pytest

from aipolicy.siteaudit.html_signals import MOST_BYTES, Markup, read_html
from tests.effort import calls

TAG = "<meta name=robots content=noai>"


def robots_of(body: str | bytes, charset: str = "", *, xml: bool = False) -> list[str]:
    data = body.encode() if isinstance(body, str) else body
    return [tag.content for tag in read_html(data, charset, xml=xml).metas("robots")]


def test_tags_are_found_in_any_case_and_quoting() -> None:
    body = "<html><head>\n<META NAME=Robots CONTENT=noai>\n<meta\n content='a, b' name='robots'/>"
    assert robots_of(body) == ["noai", "a, b"]


@pytest.mark.parametrize(
    "body",
    [
        "<!-- <meta name=robots content=noai> -->",
        "<script>'<meta name=robots content=noai>'</script>",
        "<style><meta name=robots content=noai></style>",
        "<template><meta name=robots content=noai></template>",
        "<textarea><meta name=robots content=noai></textarea>",
        "<title><meta name=robots content=noai></title>",
        *[f"<{name}>{TAG}</{name}>" for name in ("xmp", "iframe", "noembed", "noframes", "plaintext")],
        "<template><template></template><meta name=robots content=noai></template>",
        "<template><div><meta name=robots content=noai></template>",
        "<script><!--<script></script><meta name=robots content=noai></script>",
        "<title/><meta name=robots content=noai>",  # of HTML, that is open
        "<meta name=robots content='noai'",  # never ends
        "<meta property=robots content=noai>",
    ],
)
def test_text_that_resembles_a_tag_is_not_a_tag(body: str) -> None:
    assert robots_of(body) == []


def test_a_tag_after_a_template_and_a_script_counts() -> None:
    body = "<title>x</title><template><p></template><script>1</script><meta name=robots content=noai>"
    assert robots_of(body) == ["noai"]


@pytest.mark.parametrize(
    "before",
    [
        *[
            "<![endif--]>",
            "<![foo[x]]>",
            "<![CDATA[x]]>",
            "<![if !mso]>",
            "<!x",
            "<!>",
            "<![<",
        ],  # comments, all
        *["<!-->", "<!--->", "<!-- --!>", "<!--<!-- -->", "<?xml ?>", "</ x>"],
        "<title>How to use <template> in HTML</title>",
        "<title>a <title> b</title>",
        "<textarea><template></textarea>",
        "<style><!-- </style>",
        "<script><!-- </script>",
        "<svg><title/></svg>",
        "<template><div></template>",
        "</template></title>",
    ],
)
def test_html_13_2_a_tag_after_text_that_resembles_markup_counts(before: str) -> None:
    end = ">" if before in ("<!x", "<![<") else ""
    assert robots_of(f"<html><head>{before}{end}{TAG}") == ["noai"]


def test_the_content_of_noscript_is_read() -> None:
    assert robots_of(f"<noscript>{TAG}</noscript>") == ["noai"]
    assert robots_of(f"<p><noscript><b>{TAG}</noscript>") == ["noai"]


def test_xhtml_is_read_as_xml_if_well_formed_else_as_html() -> None:
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><head><title/>{}</head></html>"
    tag = "<meta name='robots' content='noai'/>"
    assert robots_of(page.format(tag), xml=True) == ["noai"]
    assert robots_of(f"<html><head>{TAG}", xml=True) == ["noai"]


XHTML = (
    "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>é</title><script src='a.js'/>"
    "<meta name='robots' content='noai'/></head><body><p>{}</p></body></html>"
)
STRICT = "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'http://www.w3.org/TR/xhtml1/DTD/x.dtd'>"
DECLARED = "<?xml version='1.0' encoding='{}'?>"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (XHTML.encode("utf-8-sig"), ""),
        (XHTML.encode("utf-16"), "utf-8"),  # a byte order mark outranks Content-Type (RFC 7303 §3)
        (b"\xfe\xff" + XHTML.encode("utf-16-be"), ""),
        (XHTML.encode("utf-16-le"), "UTF-16"),
        (XHTML.encode("latin-1"), "iso-8859-1"),
        ((DECLARED.format("iso-8859-1") + XHTML).encode("latin-1"), ""),
        ((DECLARED.format("hex") + XHTML).encode(), "idna"),
        (f"\r\n {DECLARED.format('UTF-8')}\n{XHTML}".encode(), ""),
        ((STRICT + XHTML.format("&nbsp;&amp;&copy;&NotEqualTilde;")).encode(), ""),
    ],
)
def test_xhtml_is_well_formed_in_any_encoding_and_with_the_entities_of_its_dtd(
    body: bytes, charset: str
) -> None:
    found = read_html(body, charset, xml=True)
    assert ([tag.content for tag in found.metas("robots")], found.complete) == (["noai"], True)


@pytest.mark.parametrize("wrong", ["<br>", "&nosuch;", "\0", "<b></i>"])
def test_xhtml_that_is_not_well_formed_is_not_read_whole(wrong: str) -> None:
    assert not read_html(XHTML.format(wrong).encode(), xml=True).complete


def test_a_tag_with_a_prefix_for_xhtml_counts() -> None:
    page = (
        "<h:html xmlns:h='http://www.w3.org/1999/xhtml' xmlns:q='urn:q'><h:head>"
        "<q:meta name='robots' content='no'/><h:meta name='robots' content='noai'/>"
        "<h:template><h:meta name='robots' content='no'/></h:template></h:head></h:html>"
    )
    assert robots_of(page, xml=True) == ["noai"]
    for odd in ("1", "-", "..", "é", "a.b", "_", "\u0661"):
        comment = f"<!-- xmlns:{odd}='http://www.w3.org/1999/xhtml' -->"
        assert robots_of(comment + page, xml=True) == ["noai"]


LAUGHS = "".join("<!ENTITY {} '{}'>".format("a" * n, f"&{'a' * (n - 1)};" * 10) for n in range(2, 31))


@pytest.mark.parametrize(
    "page",
    [
        "<svg><template><title><s></template><a><p><a>",
        "<math><template><mi></template><p>",
        f"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>{LAUGHS}]><a b='&{'a' * 30};'>&{'a' * 30};</a>",
        "<a>" * 100_000,
    ],
    ids=["svg", "math", "entities", "depth"],
)
def test_no_page_ends_the_process(page: str) -> None:
    for xml in (False, True):
        assert read_html(page.encode(), xml=xml).metas("robots") == []


def test_the_first_of_two_equal_attributes_counts() -> None:
    assert robots_of("<meta name=robots content=a content=b>") == ["a"]


def test_a_page_is_decoded_by_its_charset_or_else_as_utf_8() -> None:
    tag = '<meta name="robots" content="noaï">'
    assert robots_of(tag.encode("latin-1"), "ISO-8859-1") == ["noaï"]
    assert robots_of(tag.encode("utf-16")) == ["noaï"]
    assert robots_of(f"<meta charset='windows-1252'>{tag}".encode("cp1252")) == ["noaï"]
    assert robots_of(f"<meta charset=utf-16>{tag}") == ["noaï"]
    for charset in ("punycode", "idna", "hex", "no-such", "", "utf-8\x00", "rot13"):
        assert robots_of(tag, charset) == ["noaï"]


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "<",
            "<a ",
            '<a a="',
            "<!--",
            "<!",
            "<?",
            "</",
            "<a" + " a" * 99,
            "<script>",
            "<![CDATA[",
            "&",
            "<a/",
        ],
        *["<div>", "<a>", "<b><p>", "<table>", "<template>", "<svg>", "<select><option>"],
    ],
)
def test_hostile_pages_are_parsed_quickly(piece: str) -> None:
    body = (piece * (2 * MOST_BYTES // len(piece))).encode()
    _, count = calls(lambda: (read_html(body), read_html(body, xml=True)))
    assert count < 60 * len(body), count / len(body)


def test_no_tag_and_no_byte_within_the_limit_is_skipped() -> None:
    assert robots_of("<meta name=citation_reference content=x>" * 1000 + TAG) == ["noai"]
    (long,) = robots_of("<meta name=robots content='" + "x," * 50_000 + "noai'>")
    assert long.endswith(",noai")
    assert not read_html(b"x" * (MOST_BYTES + 1)).complete
    assert read_html(b"<p>") == Markup()
