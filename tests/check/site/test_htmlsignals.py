"""Meta tags of a page, as a reader of HTML finds them: whoever wrote the page."""

import time

import pytest

from aipolicy.check.site.htmlsignals import MOST_OCTETS, Markup, read_html

TAG = "<meta name=robots content=noai>"


def robots_of(body: str | bytes, charset: str = "", *, xml: bool = False) -> list[str]:
    octets = body.encode() if isinstance(body, str) else body
    return [tag.content for tag in read_html(octets, charset, xml=xml).metas("robots")]


def test_tags_are_found_in_any_case_and_quoting_with_their_lines() -> None:
    body = "<html><head>\n<META NAME=Robots CONTENT=noai>\n<meta\n content='a, b' name='robots'/>"
    found = read_html(body.encode()).metas("ROBOTS")
    assert [(tag.content, tag.line) for tag in found] == [("noai", 2), ("a, b", 3)]


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
        "<script><!--<script></script><meta name=robots content=noai></script>",
        "<title/><meta name=robots content=noai>",  # of HTML, that is open
        "<meta name=robots content='noai'",  # never ends
        "<meta property=robots content=noai>",
    ],
)
def test_what_is_no_tag_of_the_page_is_not_taken_for_one(body: str) -> None:
    assert robots_of(body) == []


def test_a_tag_behind_any_of_these_still_counts() -> None:
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
        "</template></title>",
    ],
)
def test_html_13_2_a_tag_behind_what_looks_like_markup_is_not_lost(before: str) -> None:
    end = ">" if before in ("<!x", "<![<") else ""
    assert robots_of(f"<html><head>{before}{end}{TAG}") == ["noai"]


def test_a_reader_without_scripts_reads_what_is_for_it() -> None:
    assert robots_of(f"<noscript>{TAG}</noscript>") == ["noai"]
    assert robots_of(f"<p><noscript><b>{TAG}</noscript>") == ["noai"]


def test_xhtml_is_read_as_xml_where_it_is_well_formed_and_as_html_elsewhere() -> None:
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><head><title/>{}</head></html>"
    tag = "<meta name='robots' content='noai'/>"
    assert robots_of(page.format(tag), xml=True) == ["noai"]
    assert robots_of(f"<html><head>{TAG}", xml=True) == ["noai"]


def test_of_two_attributes_of_one_name_the_first_counts() -> None:
    assert robots_of("<meta name=robots content=a content=b>") == ["a"]


def test_a_page_is_read_in_its_character_set_and_one_that_is_none_of_the_webs_in_utf_8() -> None:
    tag = '<meta name="robots" content="noaï">'
    assert robots_of(tag.encode("latin-1"), "ISO-8859-1") == ["noaï"]
    assert robots_of(tag.encode("utf-16")) == ["noaï"]
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
def test_a_page_made_to_hold_the_parser_up_does_not(piece: str) -> None:
    body = (piece * (2 * MOST_OCTETS // len(piece))).encode()
    start = time.monotonic()
    read_html(body)
    assert time.monotonic() - start < 20


def test_tags_and_values_are_bounded_and_what_was_not_read_is_told() -> None:
    many = read_html(b"<meta name=robots content=x>" * 1000)
    assert (len(many.tags), many.whole) == (200, False)
    long = read_html(b"<meta name=robots content=" + b"x" * 50_000 + b">")
    assert len(long.tags[0].content) == 4096
    assert not read_html(b"x" * (MOST_OCTETS + 1)).whole
    assert read_html(b"<p>") == Markup()
