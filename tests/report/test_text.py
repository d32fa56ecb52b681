"""Untrusted text made safe to print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.report.text import printable


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("/a?b=c&d=é", "/a?b=c&d=é"),
        ("\x1b[31m\x00\x9b\r\n\t", r"\x1b[31m\x00\x9b\x0d\x0a\x09"),
        ("\u202egnp\u2066\u200b\ufeff", r"\u202egnp\u2066\u200b\ufeff"),
        ("a\u2028b", r"a\u2028b"),
        ("\udce4", r"\xe4"),
        ("e\u0301\u0302", "e\u0301\u0302"),
        ("e\u0301\u0302\u0303\u0304", "e\u0301\u0302\\u0303\\u0304"),
    ],
)
def test_unprintable_characters_are_escaped(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_a_cut_is_stated_with_the_full_length() -> None:
    assert printable("a" * 3000, 10) == "aaaaaaaaaa… (cut; 3,000 characters in all)"
    assert printable("a" * 10, 10) == "a" * 10
    assert printable("a" * 3000) == "a" * 3000


@given(st.text(st.characters()))
def test_whatever_a_client_sent_is_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
