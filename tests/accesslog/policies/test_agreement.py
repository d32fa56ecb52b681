"""The judge against an oracle: versions, hosts that move, files, paths and windows."""

import json
import posixpath
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipolicy.accesslog.policies import policies_from_jsonl, policies_from_robots, reads_robots_txt
from aipolicy.errors import PolicyError
from aipolicy.report.text import shorten
from aipolicy.robotstxt.parser import RobotsTxt, read_lines
from tests.accesslog.policies.frames import Fetch, fetches, iso, judged
from tests.accesslog.policies.oracle import HOUR, Declaration, History, fairest
from tests.core.strategies import TOKENS, base_files

SITES = ["a.example", "b.example", "c.example"]
HOSTS = [*SITES, "x.example", "y.example"]
CRAWLERS = ["GPTBot", "CCBot", "DuckAssistBot", "YouBot", "Applebot", "Amzn-SearchBot"]
START = 1_790_000_000_000_000
TIMES = [START, START + 1, START + HOUR, START + 24 * HOUR, START + 24 * HOUR + 1, START + 72 * HOUR]

valid_text = st.text(st.characters(codec="utf-8"), max_size=12)
paths = st.one_of(
    st.sampled_from(
        ["/", "/a", "/admin/x", "/search?s=1", "/open/closed/ajar", "/x.jpg", "/a/b.jpg?x", "/tag/caf%c3%a9"]
    ),
    st.sampled_from(["/tag/café", "/a%2Fb", "/%61b", "/a$", "/abc", "/robots.txt", "/%72obots%2Etxt?x"]),
    st.sampled_from(["/%%341", "/private/%zz", "/index.html", "/a b", "//", "/?", "/a*c", "/robots.txt/"]),
    st.sampled_from(["*", "", None, "?s=1", "private", "a.example:443"]),
    valid_text.map("/".__add__),
    valid_text,
)  # fmt: skip
robots = st.one_of(
    st.sampled_from(
        [
            b"", b"User-agent: *\nDisallow: /\n", b"User-agent: *\nDisallow:\n",
            b"User-agent: GPTBot\nDisallow: /\n", b"User-agent: *\nDisallow: /a\nAllow: /*$\nDisallow: /*b\n",
            b"User-agent: *\nDisallow: /\nAllow: /\n", b"User-agent: *\nDisallow: *\nAllow: /a\n",
            b"User-agent: *\nDisallow: /\n\nUser-agent: CCBot\nAllow: /\n",
            b"User-agent: Googlebot\nDisallow: /a\n\nUser-agent: *\nDisallow: /\nAllow: /ab$\n",
            b"User-agent: googlebot\nAllow: /a\nDisallow: /\n\n"
            b"User-agent: bingbot\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n",
        ]
    ),
    base_files,
)  # fmt: skip
declarations = st.builds(
    Declaration,
    site=st.sampled_from(SITES),
    at=st.none() | st.sampled_from(TIMES),
    robots=robots,
    hosts=st.none() | st.frozensets(st.sampled_from(HOSTS[2:]), max_size=2),
)
moments = st.builds(
    lambda at, hours, step: at + hours * HOUR + step,
    st.sampled_from(TIMES),
    st.sampled_from([0, 0, 24, 24, 72, 1]),
    st.sampled_from([-1, 0, 0, 1]),
)
fetched = st.tuples(st.sampled_from(HOSTS), moments, st.sampled_from(CRAWLERS), paths)
changes = st.builds(
    Declaration,
    site=st.just("a.example"),
    at=st.sampled_from(TIMES),
    robots=st.sampled_from([f"User-agent: *\nDisallow: {path}\n".encode() for path in ("/a", "/b", "/", "")]),
)
fetched_meanwhile = st.tuples(
    st.just("a.example"), moments, st.sampled_from(CRAWLERS), st.sampled_from(["/a", "/b"])
)


def line(one: Declaration) -> str:
    given: dict[str, Any] = {"site": one.site, "robots_txt": one.robots.decode("utf-8", "surrogateescape")}
    if one.at is not None:
        given["at"] = iso(one.at)
    if one.hosts is not None:
        given["hosts"] = sorted(one.hosts)
    return json.dumps(given)


def check(history: list[Declaration], requests: list[Fetch], grace_hours: float) -> None:
    oracle = History(history)
    found = judged(policies_from_jsonl(map(line, history)), *requests, grace_hours=grace_hours)
    for request, answer in zip(requests, found, strict=True):
        expected = oracle.judge(*request, grace_hours)
        assert {
            "site": expected.site,
            "known": expected.known,
            "allowed": expected.allowed,
            "graced": expected.graced,
            "rule_line": expected.line,
            "policy": expected.policy,
        } == {name: value for name, value in answer.items() if name != "rule"}, request
        assert (answer["rule"] is None) is (expected.line is None)


@settings(max_examples=100, deadline=None)
@given(st.lists(declarations, min_size=1, max_size=6), st.lists(fetched, min_size=1, max_size=12))
def test_every_fetch_is_judged_like_the_oracle(history: list[Declaration], requests: list[Fetch]) -> None:
    if History(history).contradicts_itself():
        with pytest.raises(PolicyError, match=r"line \d+: .* can't be a host of"):
            policies_from_jsonl(map(line, history))
    else:
        check(history, requests, 24)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(changes, min_size=1, max_size=6),
    st.lists(fetched_meanwhile, min_size=10, max_size=20),
    st.sampled_from([24, 24, 0, 1, 100]),
)
def test_nobody_is_accused_for_what_was_allowed_within_the_window(
    history: list[Declaration], requests: list[Fetch], grace_hours: float
) -> None:
    check(history, requests, grace_hours)


@settings(max_examples=100, deadline=None)
@given(robots, st.lists(st.tuples(st.sampled_from(["GPTBot", *TOKENS]), paths), min_size=1, max_size=8))
@example(b"User-agent: *\nDisallow: *$\n", [("GPTBot", "/a")])
@example(b"User-agent: *\nDisallow: /\n", [("YandexAdditional", "/"), ("Google-CloudVertexBot", "/")])
@example(b"User-agent: Googlebot\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n", [("Googlebot-News", "/")])
@example(b"User-agent: *\nDisallow: /*$\nAllow: *\n", [("GPTBot", "/a")])
@example(
    b"User-agent: *\nDisallow: */\nAllow: *\nAllow: /\n", [("GPTBot", "/a"), ("GPTBot", "/%72obots.txt")]
)
def test_each_decision_and_its_line_are_those_of_verdict(
    body: bytes, questions: list[tuple[str, str | None]]
) -> None:
    parsed, lines = RobotsTxt.parse(body), tuple(read_lines(body))
    found = judged(policies_from_robots(body), *(("a.example", 0, *question) for question in questions))
    for (token, path), answer in zip(questions, found, strict=True):
        path = path or "/"
        if not path.startswith("/"):
            assert (answer["allowed"], answer["rule"]) == (True, None)
            continue
        core = fairest(parsed, token, path)
        assert answer["allowed"] is core.allowed
        assert answer["rule_line"] == (core.rule.line if core.rule else None)
        if core.rule:
            assert answer["rule"] == shorten(lines[core.rule.line - 1].text.replace("\t", " "), 500)


encoded = st.builds(
    "".join,
    st.lists(
        st.sampled_from([*"/robots.txt?%", "%2F", "%72", "%6f", "%6F", "%74", "%73", "%2e", "%2E", "x"]),
        max_size=3,
    ),
)  # fmt: skip


@given(
    st.one_of(
        paths.filter(bool),
        encoded,
        st.builds(
            "".join,
            st.tuples(
                st.sampled_from(["/", "/", "/", "%2F", "", "//"]),
                *(st.sampled_from([c, c, f"%{ord(c):02x}", f"%{ord(c):02X}"]) for c in "robots.txt"),
                encoded,
            ),
        ),
    )
)
def test_robots_txt_is_found_in_every_encoding_of_its_path(path: str) -> None:
    (found,) = fetches(("", 0, "", path)).select(reads_robots_txt(pl.col("path")))["path"]
    plain = unquote(path.partition("?")[0].partition("#")[0])
    # As servers and shells read a path: empty and "." segments are left out, and ".." goes one back.
    assert found is (posixpath.normpath(f"/{plain}") in ("/robots.txt", "//robots.txt") and plain[-1:] == "t")
