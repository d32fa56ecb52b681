"""The verdicts on fetches, with edge cases."""

import json
import pickle
from typing import Any

import polars as pl
import pytest

from aipolicy.accesslog.policies import Judge, Policies, policies_from_jsonl, policies_from_robots
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import PolicyError
from tests.accesslog.policies.frames import EPOCH, fetches, judged, outcomes, text
from tests.accesslog.policies.oracle import HOUR

T = 1_790_812_800_000_000  # 2026-10-01T00:00:00Z
CLOSED = "User-agent: *\nDisallow: /\n"
OPEN = "User-agent: *\nAllow: /\n"


def policies(*versions: dict[str, Any]) -> Policies:
    return policies_from_jsonl(json.dumps({"site": "a.example", **version}) for version in versions)


def at(hours: float, robots_txt: str, **more: Any) -> dict[str, Any]:
    when = EPOCH.fromtimestamp((T + hours * HOUR) / 1e6, tz=EPOCH.tzinfo)
    return {"at": when.isoformat(), "robots_txt": robots_txt, **more}


def test_a_version_is_in_force_from_its_own_moment_on() -> None:
    found = judged(
        policies(at(0, OPEN), at(100, CLOSED)),
        ("a.example", T + 100 * HOUR - 1, "GPTBot", "/"),
        ("a.example", T + 100 * HOUR, "GPTBot", "/"),
    )
    assert [row["policy"] for row in found] == ["line 1", "line 2"]
    assert [row["allowed"] for row in found] == [True, False]


def test_a_fetch_is_in_grace_up_to_the_last_moment_of_the_window() -> None:
    rows = [("a.example", T + step, "GPTBot", "/") for step in (0, 24 * HOUR, 24 * HOUR + 1)]
    assert outcomes(policies(at(-500, OPEN), at(0, CLOSED)), *rows) == ["graced", "graced", "disallowed"]


def test_before_the_first_version_everything_was_allowed_which_counts_for_grace() -> None:
    rows = [("a.example", T + step, "GPTBot", "/") for step in (-1, 0, 24 * HOUR, 24 * HOUR + 1)]
    assert outcomes(policies(at(0, CLOSED)), *rows) == ["allowed", "graced", "graced", "disallowed"]
    first = judged(policies(at(0, CLOSED)), rows[0])[0]
    assert (first["site"], first["known"], first["policy"], first["rule"]) == ("a.example", True, None, None)


def test_a_policy_that_was_always_in_force_has_no_grace() -> None:
    assert outcomes(policies({"robots_txt": CLOSED}), ("a.example", 0, "GPTBot", "/")) == ["disallowed"]


def test_a_version_that_allowed_for_a_moment_within_the_window_gives_grace() -> None:
    history = policies(
        at(-500, CLOSED), at(0, OPEN), at(0.01, "User-agent: *\nDisallow: /a\n"), at(0.02, CLOSED)
    )
    rows = [("a.example", T + 20 * HOUR, "GPTBot", path) for path in ("/a", "/b")]
    assert outcomes(history, *rows) == ["graced", "graced"]
    rows = [("a.example", T + int(24.015 * HOUR), "GPTBot", path) for path in ("/a", "/b")]
    assert outcomes(history, *rows) == ["disallowed", "graced"]


def test_a_version_with_the_same_rules_is_no_change() -> None:
    closed_again = policies(at(-500, CLOSED), at(0, f"# again\n{CLOSED}"), at(1, CLOSED))
    assert outcomes(closed_again, ("a.example", T + 2 * HOUR, "GPTBot", "/")) == ["disallowed"]


def test_a_longer_documented_cache_time_extends_the_window() -> None:
    history = policies(at(-500, OPEN), at(0, CLOSED))
    late = T + 71 * HOUR
    rows = [("a.example", late, crawler, "/") for crawler in ("DuckAssistBot", "GPTBot", "CCBot")]
    assert outcomes(history, *rows) == ["graced", "disallowed", "disallowed"]
    assert outcomes(history, *rows, grace_hours=72) == ["graced"] * 3


def test_a_documented_shorter_window_does_not_shorten_it() -> None:
    history = policies(at(-500, OPEN), at(0, CLOSED))
    assert outcomes(history, ("a.example", T + 23 * HOUR, "YouBot", "/")) == ["graced"]


def test_without_grace_only_the_moment_of_the_change_is_excused() -> None:
    history = policies(at(-500, OPEN), at(0, CLOSED))
    rows = [("a.example", T + step, "CCBot", "/") for step in (0, 1)]
    assert outcomes(history, *rows, grace_hours=0) == ["graced", "disallowed"]


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf")])
def test_invalid_hours_are_refused(hours: float) -> None:
    with pytest.raises(PolicyError, match=r"grace_hours is .*; use a number"):
        Judge(policies(at(0, OPEN)), hours)


def test_a_licensed_crawler_is_allowed_from_its_licence_on_and_accused_after_it_ended() -> None:
    history = policies(
        {"at": "2026-10-01T00:00:00Z", "preset": "no-training"},
        {"at": "2026-10-11T00:00:00Z", "preset": "no-training", "licensed": ["GPTBot"]},
        {"at": "2026-10-21T00:00:00Z", "preset": "no-training"},
    )
    days = [T + day * 24 * HOUR for day in (5, 10, 15, 20, 25)]
    asked = [("a.example", day, "GPTBot", "/") for day in days]
    assert outcomes(history, *asked) == ["disallowed", "allowed", "allowed", "graced", "disallowed"]
    asked = [("a.example", day, "ClaudeBot", "/") for day in days]
    assert outcomes(history, *asked) == ["disallowed"] * 5


def test_after_a_policy_was_withdrawn_everything_is_allowed() -> None:
    history = policies({"preset": "no-training"}, {"at": "2026-10-01T00:00:00Z", "preset": "unset"})
    rows = [("a.example", T + step, "GPTBot", "/") for step in (-1, 0)]
    assert outcomes(history, *rows) == ["disallowed", "allowed"]


def test_a_host_that_moved_is_excused_by_the_policy_of_the_site_it_came_from() -> None:
    history = policies_from_jsonl(
        json.dumps(version)
        for version in (
            at(-500, OPEN, site="a.example", hosts=["x.example"]),
            at(0, OPEN, site="a.example", hosts=[]),
            at(0, CLOSED, site="b.example", hosts=["x.example"]),
        )
    )
    rows = [("x.example", T + step, "GPTBot", "/") for step in (-1, 0, 25 * HOUR)]
    assert outcomes(history, *rows) == ["allowed", "graced", "disallowed"]
    assert [row["site"] for row in judged(history, *rows)] == ["a.example", "b.example", "b.example"]


def test_everything_is_allowed_on_a_host_that_has_no_site_any_more() -> None:
    history = policies(at(-500, CLOSED, hosts=["x.example"]), at(0, CLOSED, hosts=[]))
    (row,) = judged(history, ("x.example", T, "GPTBot", "/"))
    assert row == {
        "site": "x.example",
        "known": True,
        "allowed": True,
        "graced": False,
        "rule": None,
        "rule_line": None,
        "policy": None,
    }


def test_hosts_are_recognised_in_the_spelling_of_the_log() -> None:
    closed = policies_from_robots(CLOSED.encode(), ["a.example", "www.a.example"])
    hosts = ["A.Example:443", "a.example.", "WWW.a.example", "b.example", "a b", "-", "", None]
    found = judged(closed, *((host, 0, "GPTBot", "/") for host in hosts))
    assert [row["site"] for row in found] == [
        "a.example", "a.example", "a.example", "b.example", None, None, None, "a.example",
    ]  # fmt: skip
    assert [row["known"] for row in found] == [True, True, True, False, False, False, False, True]
    assert [row["allowed"] for row in found] == [not row["known"] for row in found]


def test_a_robots_txt_without_hosts_is_every_hosts_and_each_is_a_site() -> None:
    closed = policies_from_robots(CLOSED.encode())
    found = judged(closed, *((host, 0, "GPTBot", "/") for host in ("B.example", "c.example:80", None, "-")))
    assert [row["site"] for row in found] == ["b.example", "c.example", None, None]
    assert [row["allowed"] for row in found] == [False, False, False, True]
    assert [row["policy"] for row in found] == ["robots.txt"] * 3 + [None]


def test_the_rule_is_returned_as_written_with_its_line() -> None:
    robots = b"\xef\xbb\xbfuser-agent: gptbot\r\n\r\ndisallow : /caf\xc3\xa9 # no coffee\r\n"
    robots += b"Disalow:/x\xff\x1b\r\nAllow: /ok\r\n"
    rows = [("a.example", 0, "GPTBot", path) for path in ("/caf%C3%A9/1", "/x%FF%1B", "/ok", "/other")]
    found = judged(policies_from_robots(robots), *rows)
    assert [(row["allowed"], row["rule"], row["rule_line"]) for row in found] == [
        (False, "disallow : /café", 3),
        (False, "Disalow:/x\\xff\\x1b", 4),
        (True, "Allow: /ok", 5),
        (True, None, None),
    ]


def test_a_long_rule_is_shortened() -> None:
    robots = f"User-agent: *\nDisallow: /{'*' * 100_000}\n".encode()
    (row,) = judged(policies_from_robots(robots), ("a.example", 0, "GPTBot", "/"))
    assert not row["allowed"]
    assert len(row["rule"]) == 500


@pytest.mark.parametrize("path", ["/robots.txt", "/robots.txt?x=1", "/%72obots%2Etxt"])
def test_robots_txt_may_always_be_fetched(path: str) -> None:
    assert outcomes(policies_from_robots(CLOSED.encode()), ("a.example", 0, "GPTBot", path)) == ["allowed"]


def test_an_empty_path_is_the_front_page_and_no_rule_matches_an_invalid_path() -> None:
    for robots in (
        CLOSED,
        "User-agent: *\nDisallow: /\nAllow: /a\n",
    ):  # whether or not each path is looked at
        found = outcomes(
            policies_from_robots(robots.encode()),
            *(("a.example", 0, "GPTBot", path) for path in ("", None, "*", "a.example:443", "%2F")),
        )
        assert found == ["disallowed", "disallowed", "allowed", "allowed", "allowed"]


def test_only_the_first_500_kib_are_read_and_no_line_that_is_cut() -> None:
    head = text(["User-agent: *", "Disallow: /a"])
    filler = b"#" * (MAX_ROBOTS_BYTES - len(head) - len("\nDisallow: /p"))
    robots = head + filler + b"\nDisallow: /private\nDisallow: /b\n"
    assert robots[:MAX_ROBOTS_BYTES].endswith(b"\nDisallow: /p")
    rows = [("a.example", 0, "GPTBot", path) for path in ("/a", "/public", "/private", "/b")]
    assert outcomes(policies_from_robots(robots), *rows) == ["disallowed", "allowed", "allowed", "allowed"]
    shortened = robots.replace(b"/private", b"/p")  # the line ends just there
    assert outcomes(policies_from_robots(shortened), rows[1]) == ["disallowed"]


def test_rows_keep_their_order_and_their_other_columns() -> None:
    history = policies(at(-500, OPEN), at(0, CLOSED), at(100, OPEN))
    times = [T + hour * HOUR for hour in (150, -10, 50, 10, 99, -400)]
    frame = fetches(*(("a.example", when, "GPTBot", "/") for when in times)).with_columns(
        file=pl.lit("access.log"),
        line=pl.Series(range(6)),
        at=pl.lit("x"),
        row=pl.lit(7),
        version=pl.lit(1.5),
    )
    found = Judge(history).judge(frame)
    assert found.select(frame.columns).equals(frame)
    assert found["allowed"].to_list() == [True, True, False, False, False, True]
    assert found["graced"].to_list() == [False, False, False, True, False, False]


def test_an_empty_frame_has_the_same_columns() -> None:
    judge = Judge(policies(at(0, CLOSED)))
    full = judge.judge(fetches(("a.example", T, "GPTBot", "/x")))
    assert judge.judge(fetches()).schema == full.schema
    assert dict(full.schema) == {
        "host": pl.String, "time": pl.Int64, "crawler": pl.String, "path": pl.String,
        "site": pl.String, "known": pl.Boolean, "allowed": pl.Boolean, "graced": pl.Boolean,
        "rule": pl.String, "rule_line": pl.Int32, "policy": pl.String,
    }  # fmt: skip


def test_a_judge_can_be_sent_to_another_process() -> None:
    judge = Judge(policies(at(0, CLOSED)), 48)
    frame = fetches(*(("a.example", T + hours * HOUR, "CCBot", "/") for hours in (-1, 47, 49)))
    assert pickle.loads(pickle.dumps(judge)).judge(frame).equals(judge.judge(frame))


BY_STAND_IN = ["User-agent: *", "Disallow: /", "", "User-agent: Googlebot", "Disallow: /a"]
"""Googlebot may fetch all but /a, and everyone else nothing."""


@pytest.mark.parametrize(
    "crawler", ["Googlebot-Image", "Googlebot-News", "Googlebot-Video", "Applebot", "Google-CloudVertexBot"]
)
def test_a_crawler_is_not_accused_for_using_the_group_that_it_documents(crawler: str) -> None:
    known = policies_from_robots(text(BY_STAND_IN))
    rows = [("a.example", T, name, path) for name in (crawler, "GPTBot") for path in ("/b", "/a")]
    assert outcomes(known, *rows) == ["allowed", "disallowed", "disallowed", "disallowed"]


def test_a_fetch_that_both_groups_disallow_has_the_rule_of_the_binding_group() -> None:
    (found,) = judged(policies_from_robots(text(BY_STAND_IN)), ("a.example", T, "Applebot", "/a"))
    assert (found["rule"], found["rule_line"]) == ("Disallow: /", 2)


def test_a_fetch_that_the_other_group_allows_has_its_rule() -> None:
    lines = [*BY_STAND_IN, "Allow: /a/b"]
    (found,) = judged(policies_from_robots(text(lines)), ("a.example", T, "Applebot", "/a/b"))
    assert (found["allowed"], found["rule"], found["rule_line"]) == (True, "Allow: /a/b", 6)


def test_a_crawler_that_is_named_goes_by_its_own_group_alone() -> None:
    lines = [*BY_STAND_IN, "", "User-agent: APPLEBOT", "Disallow: /b"]
    rows = [("a.example", T, "Applebot", path) for path in ("/b", "/a")]
    assert outcomes(policies_from_robots(text(lines)), *rows) == ["disallowed", "allowed"]


def test_the_other_group_never_makes_a_fetch_disallowed() -> None:
    lines = ["User-agent: Googlebot", "Disallow: /", "", "User-agent: *", "Disallow: /b"]
    rows = [("a.example", T, "Applebot", path) for path in ("/a", "/b")]
    assert outcomes(policies_from_robots(text(lines)), *rows) == ["allowed", "disallowed"]


def test_one_allowing_group_of_several_that_a_crawler_may_use_is_enough() -> None:
    lines = ["User-agent: *", "Disallow: /", "", "User-agent: Googlebot", "Disallow: /a", ""]
    lines += ["User-agent: bingbot", "Disallow: /b"]
    rows = [("a.example", T, "Amzn-SearchBot", path) for path in ("/a", "/b", "/c")]
    assert outcomes(policies_from_robots(text(lines)), *rows) == ["allowed"] * 3


def test_a_fetch_that_the_other_group_allowed_within_the_window_is_in_grace() -> None:
    history = policies(at(-500, "\n".join(BY_STAND_IN)), at(0, CLOSED))
    rows = [("a.example", T + HOUR, crawler, "/b") for crawler in ("Applebot", "GPTBot")]
    assert outcomes(history, *rows) == ["graced", "disallowed"]


def test_a_crawler_that_obeys_only_its_own_name_is_not_bound_by_the_group_for_all() -> None:
    closed = policies_from_robots(CLOSED.encode())
    named = policies_from_robots(b"User-agent: YandexAdditional\nDisallow: /\n")
    row = ("a.example", T, "YandexAdditional", "/")
    assert (outcomes(closed, row), outcomes(named, row)) == (["allowed"], ["disallowed"])
