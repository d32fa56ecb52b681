"""AIPREF's Content-Usage where an application sends the header too: the most restrictive wins."""

import http_sf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aipolicy.core.preferences import Category, Preferences
from aipolicy.signals.content_usage import merge_statement
from tests.core.test_preferences import NO_TRAINING, SILENT, stated, statements

members = st.sampled_from(
    [
        b"bots=n",
        b"*x;p",
        b'a="\\"";q=n',
        b"b=(y n);z, c=-1.125",
        b"d=:aGk=:",
        b"e=@1",
        b"train-ai=y",
        b"search=?0",
    ]
)


@pytest.mark.parametrize(
    ("other", "merged"),
    [
        (b"", b"train-ai=n"),
        (b"train-ai=y", b"train-ai=n"),
        (b"train-ai=n", b"train-ai=n"),
        (b"ai-use=n, search=y", b"train-ai=n, ai-use=n, search=y"),
        (b"train-ai=n, train-ai=y", b"train-ai=n"),
        (
            b'bots=n, train-ai=y, x="\\"";p, inner=(a b);q=1',
            b'train-ai=n, bots=n, x="\\"";p, inner=(a b);q=1',
        ),
        (b"ai-use=maybe, search", b"train-ai=n"),
    ],
)
def test_a_statement_of_the_applications_is_joined_most_restrictive_first(
    other: bytes, merged: bytes
) -> None:
    assert merge_statement(NO_TRAINING, other) == merged


@pytest.mark.parametrize("other", [b"train-ai=y,", b"\xff", b"Search=y", b"a=\x00", b"train-ai=y\r\nx: y"])
def test_a_statement_of_the_applications_that_cannot_be_parsed_is_replaced(other: bytes) -> None:
    assert merge_statement(NO_TRAINING, other) == b"train-ai=n"


@given(stated, statements)
@example(NO_TRAINING, b"a=1, a=2, train-ai=y")
def test_joining_never_raises_and_means_what_both_say(ours: Preferences, other: bytes) -> None:
    merged = merge_statement(ours, other)
    assert Preferences.parse(merged) == ours.combined(Preferences.parse(other))
    assert merged.isascii()
    assert merged.decode().isprintable()
    assert merge_statement(ours, merged) == merged


@pytest.mark.parametrize("other", [b"", b"train-ai=?0"])
def test_joining_nothing_with_nothing_is_nothing(other: bytes) -> None:
    assert merge_statement(SILENT, other) == b""


@given(stated, st.lists(members, min_size=1, max_size=5).map(b", ".join))
def test_labels_that_this_version_does_not_know_are_kept(ours: Preferences, other: bytes) -> None:
    assert unknown_labels(merge_statement(ours, other)) == unknown_labels(other)


def unknown_labels(statement: bytes) -> dict[str, object]:
    members = http_sf.parse(statement, tltype="dictionary")
    assert isinstance(members, dict)
    return {label: value for label, value in members.items() if label not in set(Category)}
