"""A Host header, however it is written, to one canonical name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aipolicy.core.hosts import canonical_host, site_name
from aipolicy.errors import AIPolicyError, HostError

# Characters that can nearly be a host, so that random ones come near to what is accepted.
nearly = st.text("aZ0-_.:[]@/ \u00fc\u00df\u3002\uff0e\u200d\u0130\u0661\u03a3", max_size=12)
any_text = st.text(st.characters())  # lone surrogates too


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    [
        (
            "blog.example",
            [
                "blog.example",
                "Blog.EXAMPLE",
                "blog.example:80",
                "blog.example:65535",
                "blog.example:",
                "blog.example.",
                "BLOG.example.:443",
                b"blog.example",
                b"Blog.Example.:443",
                "blog\u3002example",
                "blog\uff0eexample",
                "\uff42log.example",
            ],
        ),
        (
            "xn--bcher-kva.example",
            [
                "bücher.example",
                "BÜCHER.example",
                "bu\u0308cher.example",
                "Bücher.Example.:443",
                "bücher.example".encode(),
                "xn--bcher-kva.example",
                "XN--BCHER-KVA.EXAMPLE:80",
                b"xn--bcher-kva.example.",
            ],
        ),
        ("xn--strae-oqa.example", ["straße.example", "STRAẞE.example"]),
        ("[::1]", ["[::1]", "[::1]:8080", "[::1]:", b"[::1]:80"]),
        ("[2001:db8::a]", ["[2001:db8::a]", "[2001:DB8::A]:443"]),
        ("127.0.0.1", ["127.0.0.1", "127.0.0.1:8000", b"127.0.0.1"]),
        ("localhost", ["localhost", "LocalHost:8000"]),
        ("my_blog.example", ["my_blog.example", "My_Blog.Example"]),
        ("_.a-b.example", ["_.a-b.example"]),
        ("a" * 63 + ".example", ["A" * 63 + ".example."]),
    ],
)
def test_every_spelling_of_a_host_is_one_site(canonical: str, spellings: list[str | bytes]) -> None:
    assert {spelling: canonical_host(spelling) for spelling in spellings} == dict.fromkeys(
        spellings, canonical
    )


@pytest.mark.parametrize(
    "host",
    [
        "",
        b"",
        ".",
        "..",
        "\u3002",
        ":80",
        "a..example",
        ".example",
        "blog.example..",
        "-a.example",
        "a-.example",
        "a b.example",
        " blog.example",
        "blog.example ",
        "blog.example\n",
        "blog.example\x00",
        "blog.example/",
        "https://blog.example",
        "user@blog.example",
        "a.example,b.example",
        "a.example, b.example",
        "*.example",
        "blog.example:http",
        "blog.example:80:80",
        "blog.example:123456",
        "blog.example:-1",
        "blog.example:\u0661",
        "::1",
        "2001:db8::1",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        "[::1]:x",
        "[fe80::1%25eth0]",
        "[v1.x]",
        "a" * 64 + ".example",
        ".".join(["a" * 63] * 4),
        "ü" * 64 + ".example",
        "\u2603.example",
        "\u200d.example",
        "a" * 100_000,
        b"b\xfccher.example",
        b"\xff",
    ],
    ids=lambda host: ascii(host)[:30],
)
def test_what_is_no_host_has_no_name(host: str | bytes) -> None:
    assert canonical_host(host) is None


def test_the_longest_name_that_dns_has_is_accepted() -> None:
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(name) == 253
    assert canonical_host(name + ".:443") == name
    assert canonical_host(name + "d") is None


def test_every_spelling_of_an_address_is_one_site() -> None:
    assert canonical_host("[0:0:0:0:0:0:0:1]") == "[::1]"


@pytest.mark.parametrize("host", ["[:::::]", "[1::2::3]", "[1.2.3.4]", "[12345::]"])
def test_what_is_no_address_has_no_name(host: str) -> None:
    assert canonical_host(host) is None


def test_a_greek_name_in_capitals_is_the_one_that_browsers_ask_for() -> None:
    assert canonical_host("BLOG.ΟΔΟΣ") == canonical_host("blog.οδοσ") == "blog.xn--pxavbq"


@given(st.binary() | any_text | nearly | nearly.map(str.encode))
@example("\ud800.example")
@example("xn--\udc80.example")
@example(b"xn--a.example")
def test_a_name_is_found_or_not_but_nothing_is_raised(host: str | bytes) -> None:
    name = canonical_host(host)
    if name is not None:
        assert canonical_host(name) == name
        assert canonical_host(name.encode()) == name
        assert canonical_host(f"{name}:443") == name
        assert site_name(name) == name
        assert name.isascii()
        assert name == name.lower()
        assert not set(name) & set("/@ ,\\\"'<>#?%")


@given(nearly)
def test_bytes_and_text_are_read_alike(host: str) -> None:
    assert canonical_host(host.encode()) == canonical_host(host)


@given(st.from_regex(r"[a-z0-9]{1,10}(-[a-z0-9]{1,5})?(\.[a-z0-9]{1,10}){1,3}", fullmatch=True))
def test_case_port_and_final_dot_make_no_difference(host: str) -> None:
    for spelling in (host, host.upper(), f"{host}.", f"{host}:8080", f"{host}.:"):
        assert canonical_host(spelling) == host


def test_a_site_name_that_is_no_host_is_refused_with_an_example() -> None:
    with pytest.raises(HostError, match=r"^'https://blog\.example/' is not a host name; give one like ") as e:
        site_name("https://blog.example/")
    assert isinstance(e.value, AIPolicyError)
    assert isinstance(e.value, ValueError)


def test_a_site_name_is_canonical() -> None:
    assert site_name("Blog.Example.") == "blog.example"
