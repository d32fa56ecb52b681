"""Everything that a request's path can be read as."""

import re
from collections.abc import Iterator
from posixpath import normpath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aipolicy.core.paths import MAX_AMBIGUOUS, MAX_READINGS, PathReadings, normalise, read_path, to_bytes

ART = [
    "/art/x",
    "/%61rt/x",
    "/art%2Fx",
    "/art%2fx",
    "/art%252Fx",
    "/art%252fx",
    "/%2561rt/x",
    "//art/x",
    "///art///x",
    "/./art/x",
    "/././art/x",
    "/x/../art/x",
    "/../art/x",
    "/%2e/art/x",
    "/%2E%2e/art/x",
    "/x/%2e%2e/art/x",
    "/x%2F..%2Fart/x",
    "/x%252F%252e%252e%252Fart/x",
    "/x%2Fy/%2e%2e/art/x",
    "/art/./x",
    "/x/..//art/x",
    "/x//../../art/x",
    "/%2Fart/x",
    "\\art\\x",
    "/x\\..\\art\\x",
    "/art%5Cx",
    "/art%255Cx",
    "/art;v=1/x",
    "/art;/x;y=2",
    "/x/..;/art/x",
    "/art%3Bv=1/x",
    "/art%253Bv/x",
    "/x;a/../art/x",
    "http://blog.example/art/x",
    "HTTPS://blog.example:443/art/x",
    "http://blog.example//art/x",
    "http:\\\\blog.example\\art\\x",
    "http:%2F%2Fblog.example%2Fart%2Fx",
    "http:/art/x",
    "http:art/x",
    "art/x",
]


def all_of(readings: PathReadings | None) -> set[str]:
    assert readings is not None
    return {*readings.certain, *readings.others}


@pytest.mark.parametrize("sent", ART)
def test_what_can_be_read_as_a_path_below_art_is(sent: str) -> None:
    readings = read_path(sent)
    assert readings is not None
    assert any(path.startswith("/art/") for path in readings.certain)


@pytest.mark.parametrize(
    "sent", ["/ART/x", "/art./x", "/a/rt/x", "/art%C2%A0/x", "/xart/x", "/art", "/%00art/x"]
)
def test_what_no_server_reads_as_a_path_below_art_is_not(sent: str) -> None:
    assert not any(path.startswith("/art/") for path in all_of(read_path(sent)))


@pytest.mark.parametrize(
    "sent",
    ["/", "/art/x", "/a-b_c.d~e/f", "/@alice/1", "/a/.b/..c/...", "/.well-known/x", "/a/b/", "/a:b,c=d"],
)
def test_a_plain_path_has_one_reading(sent: str) -> None:
    assert read_path(sent) == PathReadings((sent,), ())


@pytest.mark.parametrize("sent", ["/tag/caf%C3%A9", "/tag/caf%c3%a9", "/tag/café", "/%E3%83%84/%e3%83%84"])
def test_letters_outside_ascii_add_no_reading(sent: str) -> None:
    assert len(all_of(read_path(sent))) == 1


def test_the_path_as_it_was_sent_comes_first() -> None:
    assert all(read.certain[0] == sent for sent in ("/a/../b", "/a%2Fb", "//a") if (read := read_path(sent)))


def test_another_spelling_of_the_same_characters_is_no_other_path() -> None:
    """``(`` and ``%28`` differ in a pattern (RFC 9309 section 2.2.2) and never for an application."""
    assert read_path("/press%281%29/") == PathReadings(("/press%281%29/",), ("/press(1)/",))


def test_an_application_may_be_asked_for_another_path_than_was_sent() -> None:
    readings = read_path("/public/x", "/art//x")
    assert readings is not None
    assert readings.certain[0] == "/public/x"
    assert {"/art//x", "/art/x"} <= set(readings.certain)


@pytest.mark.parametrize(
    ("sent", "path", "root", "certain", "others"),
    [
        ("/blog/art/x", "/blog/art/x", "/blog", {"/blog/art/x"}, {"/art/x"}),
        ("/blog/art/x", "/art/x", "/blog", {"/blog/art/x"}, {"/art/x"}),
        ("/art/x", "/art/x", "/blog", {"/art/x"}, {"/blog/art/x"}),
        ("/art/x", "/blog/art/x", "/blog/", {"/art/x"}, {"/blog/art/x"}),
        ("/blogs/x", "/blogs/x", "/blog", {"/blogs/x"}, {"/blog/blogs/x"}),
        ("/blog", "/blog", "/blog", {"/blog"}, {"/", "/blog/"}),
    ],
)
def test_below_a_mount_path_the_rest_and_the_whole_are_read(
    sent: str, path: str, root: str, certain: set[str], others: set[str]
) -> None:
    readings = read_path(sent, path, root)
    assert readings is not None
    assert (set(readings.certain), set(readings.others)) == (certain, others)


def test_an_escaped_path_below_a_mount_path_is_read_as_any_other() -> None:
    readings = read_path("/blog/x/..%2Fart%2Fy", "/blog/x/../art/y", "/blog")
    assert readings is not None
    assert "/art/y" in readings.others


@pytest.mark.parametrize(
    "sent",
    ["*", "/" + "a/../" * MAX_AMBIGUOUS, "//../%255c;ac\\%3f%252f"],
)
def test_what_has_no_path_or_too_many_is_not_read(sent: str) -> None:
    assert read_path(sent) is None


def test_a_long_path_without_any_ambiguity_is_read() -> None:
    sent = "/" + "a" * 100_000
    assert read_path(sent) == PathReadings((sent,), ())


hostile = st.text("/\\.%;2e5cCfFart?*#é\udcff\ud800 :", max_size=60)


@given(hostile, hostile, st.sampled_from(["", "/", "/art", "/%2e", "art"]))
@example("", "", "")
@example("/\ud800", "/\ud800", "")
@example("%", "/%", "/")
def test_whatever_was_sent_readings_are_few_and_begin_with_a_slash(sent: str, path: str, root: str) -> None:
    readings = read_path(sent, path, root)
    if readings is None:
        return
    everything = [*readings.certain, *readings.others]
    assert 1 <= len(everything) <= MAX_READINGS
    assert len(set(everything)) == len(everything)
    assert all(each.startswith("/") and each.isascii() for each in everything)


def independent(sent: str) -> Iterator[str]:
    """The steps that servers and applications apply to a path, one after another in any order."""
    waiting = [(sent, 0)]
    seen = set(waiting)
    while waiting:
        path, decoded = waiting.pop()
        yield normalise(to_bytes(path).replace(b"%", b"%25") if decoded else path)
        merged = re.sub("/+", "/", path)
        steps = [(step, decoded) for step in (merged, normpath(merged), path.replace("\\", "/"))]
        steps.append(("/".join(segment.partition(";")[0] for segment in path.split("/")), decoded))
        if decoded < 2:
            steps.append((unquote(path, errors="surrogateescape"), decoded + 1))
        waiting += [step for step in steps if step not in seen]
        seen.update(steps)


@given(st.text("/.%;\\2ef", max_size=14))
def test_what_a_chain_of_ordinary_steps_makes_is_among_the_readings(rest: str) -> None:
    sent = "/" + rest
    readings = read_path(sent)
    if readings is None:
        return
    known = {
        normalise(each).rstrip("/") for each in all_of(readings)
    }  # normpath takes a slash at the end away
    assert {made.rstrip("/") for made in independent(sent)} <= known
