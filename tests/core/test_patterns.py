"""The matcher for many paths is held to the one for one path, which asks protego."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.core.paths import normalise
from aipolicy.core.patterns import Pattern, PatternTable, path_matches, unescaped
from tests.effort import calls
from tests.sizes import size

pieces = st.lists(
    st.sampled_from(["a", "b", "ab", "/", "*", "**", "$", "?", "%24", "%2A", "%2F", "é", "."]), max_size=7
).map("".join)
patterns = st.builds(str.__add__, pieces.map("/".__add__), st.sampled_from(["", "$"])).map(normalise)
paths = pieces.map(lambda path: normalise("/" + path.replace("*", "b")))


@pytest.mark.proof
@settings(max_examples=size(full=1500, ci=400), deadline=None)
@given(patterns, paths)
def test_a_pattern_matches_what_protego_says_that_it_matches(pattern: str, path: str) -> None:
    assert Pattern(pattern).matches(unescaped(path)) is path_matches(pattern, path)


@pytest.mark.proof
@settings(max_examples=size(full=200, ci=30), deadline=None)
@given(st.lists(patterns, min_size=33, max_size=80, unique=True), st.lists(paths, min_size=1, max_size=20))
def test_a_table_finds_the_first_pattern_that_matches(some: list[str], asked: list[str]) -> None:
    longest_first = sorted(some, key=len, reverse=True)
    table = PatternTable(((pattern, pattern) for pattern in longest_first), many_paths=True)
    late = PatternTable((pattern, pattern) for pattern in longest_first)
    for path in asked:
        expected = next((pattern for pattern in longest_first if path_matches(pattern, path)), None)
        assert table.first(path) == late.first(path) == expected


@pytest.mark.parametrize(
    "pattern", ["/" + "*a" * 5000 + "*b$", "/" + "a*" * 5000 + "$", "/" + "*" * 10_000 + "b"]
)
def test_many_wildcards_do_not_backtrack(pattern: str) -> None:
    table = PatternTable([(pattern, True)])
    assert calls(lambda: table.first("/" + "a" * 8000))[1] < 30_000


@pytest.mark.parametrize("pattern", ["/{:x}/", "/*{:x}$", "/*a{:x}*b", "/{:x}*b"])
def test_a_path_is_compared_with_few_of_ten_thousand_patterns(pattern: str) -> None:
    written = sorted((pattern.format(number) for number in range(10_000)), key=len, reverse=True)
    table = PatternTable(((one, one) for one in written), many_paths=True)
    for path in ("/zz/post", "/1f3/x", "/2026/10/30/a-post-about-1f3f?page=2"):
        assert calls(lambda path=path: table.first(path))[1] < 1500  # type: ignore[misc]


def test_the_recursion_limit_is_no_bound() -> None:
    assert Pattern("/" + "*a" * (10 * sys.getrecursionlimit())).matches(
        "/" + "a" * (20 * sys.getrecursionlimit())
    )
