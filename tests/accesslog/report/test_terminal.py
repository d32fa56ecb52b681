"""The tables for terminals and pipes."""

import io
from typing import Any

import pytest
from rich.console import Console

from aipolicy.accesslog.report import table
from tests.accesslog.report.samples import by, hostile, many, sample, without_crawlers


def printed(document: dict[str, Any], width: int, *, terminal: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if terminal else None,
    )
    console.print(table(document))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_a_pipe_gets_one_line_a_crawler_and_a_total() -> None:
    document = sample()
    heading, *lines = printed(document, 10_000).partition("\n\n")[0].splitlines()
    assert len(lines) == len(document["crawlers"]) + 1
    assert heading.split()[:3] == ["Crawler", "Fetches", "Allowed"]
    for line, crawler in zip(lines, document["crawlers"], strict=False):
        assert line.startswith(f"{crawler['product_token']} ({crawler['operator']})")
        assert f" {crawler['disallowed']:,} " in line
    assert lines[-1].startswith("Total")
    assert f" {document['total']['disallowed']:,} " in lines[-1]
    assert "Disallow: / (line 4)" in lines[0]


def test_fetches_by_impostors_have_a_column_and_a_legend() -> None:
    document = sample()
    text = printed(document, 10_000)
    lines = text.splitlines()
    column = len(lines[0].split("Disallowed (impostors)")[0]) + len("Disallowed (impostors)")
    for line, counters in zip(lines[1:], [*document["crawlers"], document["total"]], strict=False):
        assert line[:column].endswith(f" {counters['disallowed_spoofed']:,}")
    assert "They are not counted as Disallowed. The other columns count every client" in text
    without = document | {"total": document["total"] | {"disallowed_spoofed": 0}}
    assert "They are not counted" not in printed(without, 10_000)


def test_identities_are_explained_if_they_occur() -> None:
    document = sample()
    clients = {"verified": 3, "operator_verified": 2, "spoofed": 0, "unverifiable": 0, "check_failed": 0}
    text = printed(document | {"total": document["total"] | {"identity": clients}}, 10_000)
    assert "Operator verified: the address is the operator's" in text
    assert "Check failed:" not in text
    for name in ("unverifiable", "check_failed", "spoofed"):
        used = document["total"] | {"identity": clients | {name: 1}}
        assert f"{name.capitalize().replace('_', ' ')}: the" in printed(document | {"total": used}, 10_000)


def test_unknown_crawlers_are_listed_with_their_requests() -> None:
    text = printed(sample(), 80)
    assert "Unknown crawlers, not judged" in text
    assert ["BrandNewAIBot", "9"] in [line.split()[:2] for line in text.splitlines()]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    document = sample(many(20), by=by("site", ("ada.blog.example", None), left_out=7))
    text = printed(document, width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for crawler in document["crawlers"]:
        assert f"{crawler['fetches']:,}" in words
        assert f"{crawler['allowed']:,}" in words
    assert "reads" in words
    assert "and 7 more not listed" in text
    assert "unknown" in words


def test_nothing_of_a_long_path_is_cut() -> None:
    path = "/" + "".join(f"{number:05}" for number in range(500))
    document = sample(by=by("path", (path,)))
    assert path in printed(document, 10_000)
    folded = [line.split(" ")[0] for line in printed(document, 100).splitlines()]
    assert path in "".join(folded)


def test_hostile_text_reaches_a_terminal_as_text() -> None:
    document = hostile()
    document["crawlers"][0]["rules"][0]["rule"] = "[bold]\x1b]0;title\x07\u202e"
    text = printed(document, 10_000, terminal=True)
    assert r"[bold]\x1b]0;title\x07\u202e" in text
    assert "[bold red]/not markup[/]" in text
    assert r"\x1b[31mred\x1b[0m\x00\x9b31m\x0d\x0a\x09" in text
    # What rich itself sends is SGR alone; without it every character is printable.
    plain = printed(document, 10_000)
    assert all(line.isprintable() for line in plain.splitlines())
    assert "\x1b]" not in text


def test_only_disallowed_fetches_are_red() -> None:
    red = "\x1b[1;31m"
    document = sample()
    accused = sum(1 for crawler in document["crawlers"] if crawler["disallowed"])
    assert printed(document, 10_000, terminal=True).count(red) == accused + 1  # and the total
    assert red not in printed(without_crawlers(), 10_000, terminal=True)


def test_without_a_crawler_the_total_is_zero() -> None:
    *_, total = printed(without_crawlers(), 10_000).splitlines()
    assert total.split() == ["Total", *("0" * 8)]


def test_no_token_is_broken_at_eighty_columns() -> None:
    tokens = ("GPTBot", "facebookexternalhit", "cohere-ai", "ClaudeBot", "Bytespider")
    text = printed(sample(tokens), 80)
    first, second = text.split("Disallowed (impostors):")[0].split("\n\n")[:2]
    for token in tokens:
        assert token in first
        assert token in second
    for word in ("Disallowed", "impostors", "robots.txt"):
        assert word in first
    assert second.split()[:2] == ["Fetches", "by"]
    assert "(UTC)" in second
    assert second.count("2026-11-14") >= 6  # seen and disallowed both
    assert second.count("(UTC)") == 2
    assert second.count("\N{EN DASH}") == second.count("2026-11-14")  # and nothing is cut
