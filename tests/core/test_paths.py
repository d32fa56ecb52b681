"""Paths and path patterns in one spelling (RFC 9309 section 2.2.2)."""

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aipolicy.core.paths import normalise, path_pattern, to_bytes
from aipolicy.errors import PolicyError

# Alphabets that make escapes, halves of escapes, and escapes of escapes.
hexadecimal = st.text("%%%0123456789abcdefABCDEF", max_size=12)
mixed = st.text("%/2?*$4fFaA \u00e9\u30c4\udcff\ud800\x00#", max_size=10)
paths = st.one_of(hexadecimal, mixed, st.text(st.characters()), st.binary())


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
        ("/tag/caf%C3%A9", "/tag/caf%C3%A9"),
        ("/tag/caf%c3%a9", "/tag/caf%C3%A9"),
        ("/tag/café", "/tag/caf%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2Fb"),
        ("/a/b", "/a/b"),
    ],
)
def test_rfc_9309_2_2_2_a_path_is_compared_in_one_spelling(path: str, canonical: str) -> None:
    assert normalise(path) == canonical
    assert normalise(path.encode()) == canonical


@pytest.mark.parametrize("reserved", "/?*$:@!&'()+,;=[]%#")
def test_rfc_9309_2_2_2_an_escaped_reserved_character_is_another_than_the_plain_one(reserved: str) -> None:
    escape = f"/x%{ord(reserved):02X}y"
    assert normalise(escape) == normalise(escape.lower()) == escape


@pytest.mark.parametrize("unreserved", "azAZ09-._~")
def test_rfc_9309_2_2_2_an_escaped_unreserved_character_is_the_plain_one(unreserved: str) -> None:
    escape = f"/x%{ord(unreserved):02x}y"
    assert normalise(escape) == normalise(escape.upper().replace("X", "x").replace("Y", "y"))
    assert normalise(escape) == f"/x{unreserved}y"


def test_house_a_reserved_character_that_stands_plain_stays_plain() -> None:
    """The RFC's table escapes those of a query; Google's parser and others compare them as they stand."""
    assert normalise("/foo/bar?baz=https://foo.bar") == "/foo/bar?baz=https://foo.bar"
    assert normalise("/*?a[]=1&b=$1$") == "/*?a[]=1&b=$1$"


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/a b\tc", "/a%20b%09c"),
        ("/a\nb\r\x00\x7f", "/a%0Ab%0D%00%7F"),
        ('/<"\\^`{|}#>', "/%3C%22%5C%5E%60%7B%7C%7D%23%3E"),
        ("/a\u2028b", "/a%E2%80%A8b"),
        ("/caf\udce9", "/caf%E9"),
        (b"/caf\xe9", "/caf%E9"),
        ("", ""),
    ],
)
def test_what_cannot_stand_in_a_line_of_ascii_is_escaped(path: str | bytes, canonical: str) -> None:
    assert normalise(path) == canonical


@pytest.mark.parametrize("path", ["/100%", "/%", "/%4", "/%zz", "/%%341", "/%4%31", "/%2%35", "/%%c3"])
def test_house_a_lone_percent_sign_stays_and_what_follows_makes_no_new_escape(path: str) -> None:
    assert normalise(path) == path


@given(paths)
@example("%%4%31")
@example(b"%\xff%4\xff1")
def test_normalising_twice_is_normalising_once(path: str | bytes) -> None:
    once = normalise(path)
    assert normalise(once) == once
    assert normalise(once.encode()) == once


@given(paths)
def test_a_normalised_path_means_the_same_bytes(path: str | bytes) -> None:
    raw = path if isinstance(path, bytes) else to_bytes(path)
    canonical = normalise(path)
    assert unquote_to_bytes(canonical) == unquote_to_bytes(raw)
    assert canonical.isascii()
    assert canonical.isprintable()
    assert not set(canonical) & set(' #"<>\\^`{|}')


@given(st.text("/ab?*$-~ \u00e9\u30c4\u2028\"'<", max_size=10))
def test_a_path_and_its_escaped_form_are_one(path: str) -> None:
    assert normalise(quote(path, safe="/?*$'")) == normalise(path)


@given(st.text(st.characters()))
def test_a_surrogate_that_is_not_an_escaped_byte_is_replaced_without_an_error(text: str) -> None:
    assert to_bytes(text + "\ud800").endswith(b"?")
    assert to_bytes("/caf\u00e9\ud800") == b"/caf\xc3\xa9?"


@given(st.binary())
def test_bytes_that_are_not_utf_8_are_preserved(raw: bytes) -> None:
    assert to_bytes(raw.decode("utf-8", "surrogateescape")) == raw


@pytest.mark.parametrize(
    ("pattern", "canonical"),
    [("/", "/"), ("/*.jpg$", "/*.jpg$"), ("/tag/café", "/tag/caf%C3%A9"), ("/a b", "/a%20b")],
)
def test_a_path_pattern_is_normalised_and_keeps_its_signs(pattern: str, canonical: str) -> None:
    assert path_pattern(pattern) == canonical


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "path pattern '' must start with '/'; write '/'"),
        ("open/", "path pattern 'open/' must start with '/'; write '/open/'"),
        ("*.jpg", "path pattern '*.jpg' must start with '/'; write '/*.jpg'"),
        (3, "path pattern 3 must start with '/'; write '/3'"),
        (b"/open/", "path pattern b'/open/' must start with '/'"),
    ],
)
def test_an_invalid_path_pattern_is_refused_with_the_fix(pattern: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        path_pattern(pattern)
    assert str(caught.value).startswith(message)
