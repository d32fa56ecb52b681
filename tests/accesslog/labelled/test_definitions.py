"""The oracle against the text of RFC 9309, and the labels against the crawler table."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.accesslog.labelled import clients
from tests.accesslog.labelled.definitions import (
    FACTS,
    Version,
    canonical,
    decide,
    is_policy,
    is_robots_txt,
    judge,
    matches,
)

ROWS = [
    ("R1", "GPTBot", "/admin/x", True,
     "User-agent: * | Disallow: /admin/ | | User-agent: GPTBot | Disallow: /private/"),
    ("R2", "OtherBot", "/x", False,
     "User-agent: * | Content-Signal: ai-train=no | | User-agent: GPTBot | Disallow: /"),
    ("R3", "OtherBot", "/x", False,
     "User-agent: * | Content-Signal: ai-train=no | User-agent: GPTBot | Disallow: /"),
    ("R4", "OtherBot", "/x", True,
     "User-agent: * | Content-Signal: x | Allow: / | | User-agent: GPTBot | Disallow: /"),
    ("R4", "GPTBot", "/x", False,
     "User-agent: * | Content-Signal: x | Allow: / | | User-agent: GPTBot | Disallow: /"),
    ("R5", "GPTBot", "/x", False,
     "User-agent: GPTBot | Content-Usage: train-ai=n | User-agent: CCBot | Disallow: /"),
    ("R6", "GPTBot", "/x", False, "User-agent: GPTBot | | Disallow: /"),
    ("R7", "GPTBot", "/b", False, "User-agent: GPTBot | Disallow: /a | | Disallow: /b"),
    ("R8", "X", "/p", False, "User-agent: * | Allow: / | Disallow: /p"),
    ("R9", "GPTBot", "/b", False, "User-agent: GPTBot | Disallow: /a | | User-agent: GPTBot | Disallow: /b"),
    ("R10", "Applebot-Extended", "/x", True, "User-agent: Applebot | Disallow: /"),
    ("R11", "Applebot", "/x", True, "User-agent: Applebot-Extended | Disallow: /"),
    ("R17", "X", "/a/b.jpg", False, "User-agent: * | Disallow: /*.jpg$ | Allow: /"),
    ("R18", "X", "/page", True, "User-agent: * | Disallow: /page | Allow: /page"),
    ("R19", "X", "/x", False, "\ufeffUser-agent: * | Disallow: /"),
    ("R20", "X", "/robots.txt", True, "User-agent: * | Disallow: /"),
    ("R21", "X", "/p", True, "User-agent: * | Disallow-AI-Training: / | Allow: /ok"),
    ("R22", "GPTBot", "/x", True, "User-agent: * | Disallow: / | | User-agent: GPTBot"),
    ("R23", "X", "/never/a", False,
     "User-agent: * | Allow: / | Disallow: /never/ | Content-Usage: /ai-ok/ train-ai=y"),
    ("R23", "X", "/ai-ok/a", True,
     "User-agent: * | Allow: / | Disallow: /never/ | Content-Usage: /ai-ok/ train-ai=y"),
    ("2.2.1 any case", "GPTBot", "/x", False, "user-AGENT: gptbot | DISALLOW: /"),
    ("2.2.2 hex in any case", "X", "/tag/caf%c3%a9", False, "User-agent: * | Disallow: /tag/caf%C3%A9"),
    ("2.2.2 raw data", "X", "/tag/caf%C3%A9", False, "User-agent: * | Disallow: /tag/café"),
    ("2.2.2 unreserved", "X", "/foo/bar/baz", False, "User-agent: * | Disallow: /foo/bar/%62%61%7A"),
    ("2.2.2 reserved", "X", "/a/b", True, "User-agent: * | Disallow: /a%2Fb"),
    ("2.2.2 case matters", "X", "/page", True, "User-agent: * | Disallow: /Page"),
    ("2.2.2 nothing matches", "X", "/page", True, "User-agent: * | Disallow:"),
    ("2.2.2 no group", "X", "/page", True, "User-agent: GPTBot | Disallow: /"),
    ("2.2.3 the end", "X", "/", False, "User-agent: * | Disallow: /$"),
    ("2.2.3 not the end", "X", "/x", True, "User-agent: * | Disallow: /$"),
    ("2.2.3 a comment", "X", "/p", False, "User-agent: * # all | Disallow: /p # not this"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "token", "path", "allowed", "lines"), ROWS)
def test_the_oracle_agrees_with_the_examples_of_the_standard(
    section: str, token: str, path: str, allowed: bool, lines: str
) -> None:
    file = "\n".join(line.strip() for line in lines.split("|"))
    assert decide(file, token, canonical(path)).allowed is allowed, section


@pytest.mark.parametrize(
    ("pattern", "path", "matching"),
    [
        ("/fish", "/fish.html", True),
        ("/fish", "/Fish", False),
        ("/fish*", "/fishheads/yummy.html", True),
        ("/*.php", "/folder/any.php.file.html", True),
        ("/*.php$", "/filename.php?parameters", False),
        ("/*.php$", "/a.php/b.php", True),
        ("/fish*.php", "/fishheads/catfish.php?id=1", True),
        ("/a*b*c$", "/aXbXbXc", True),
        ("/a*bc$", "/abcbd", False),
        ("/a*ab$", "/ab", False),
        ("/*", "/", True),
        ("*/x", "/a/x", True),
    ],
)
def test_patterns_match_from_the_first_octet(pattern: str, path: str, matching: bool) -> None:
    assert matches(pattern, path) is matching


def test_the_deciding_line_is_stated_and_a_tie_of_two_is_ambiguous() -> None:
    file = "User-agent: *\nAllow: /\nDisallow: /p\n"
    decision = decide(file, "X", "/p/1")
    assert (decision.allowed, decision.rule and decision.rule.line, decision.doubtful) == (False, 3, False)
    assert decide(file + "Disallow: /p\n", "X", "/p/1").doubtful


NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
OPEN, SHUT = "User-agent: *\nAllow: /\n", "User-agent: *\nDisallow: /\n"


def counter(token: str, hours: float, *, status: int = 200, path: bytes = b"/x", grace: float = 24) -> str:
    """Judge requests to a site that was open until noon, and closed then."""
    history = [Version(NOON, SHUT), Version(NOON - timedelta(days=9), OPEN)]
    return judge(history, token, NOON + timedelta(hours=hours), path, status, grace).counter


def test_a_crawler_may_use_an_old_robots_txt_until_its_cache_expires() -> None:
    second = 1 / 3600
    assert [counter("GPTBot", hours) for hours in (-second, 0, 24 - second)] == [
        "allowed",
        "in_grace",
        "in_grace",
    ]
    assert [counter("GPTBot", hours) for hours in (24, 24 + second)] == ["in_grace", "disallowed"]
    assert [counter("DuckAssistBot", hours) for hours in (72, 72 + second)] == ["in_grace", "disallowed"]
    assert counter("YouBot", 23) == "in_grace"  # it documents half an hour: the default is longer
    assert counter("GPTBot", 2, grace=1) == "in_grace"  # it documents 24 hours: longer than what was asked
    assert [counter("Bytespider", 2, grace=1), counter("Bytespider", 2, grace=3)] == [
        "disallowed",
        "in_grace",
    ]


def test_before_its_first_version_a_site_disallowed_nothing() -> None:
    history = [Version(NOON, SHUT)]
    hours = [judge(history, "GPTBot", NOON + timedelta(hours=h), b"/", 200).counter for h in (-1, 1, 25)]
    assert hours == ["allowed", "in_grace", "disallowed"]
    assert judge([], "GPTBot", NOON, b"/", 200).counter == "allowed"


def test_each_request_has_the_first_of_six_verdicts_that_applies() -> None:
    assert counter("GPTBot", 48, path=b"/robots.txt?x") == "robots_txt_reads"
    assert counter("Perplexity-User", 48, status=403) == "exempt"
    assert counter("Perplexity-User", 12) == "in_grace"
    assert counter("LAIONDownloader", 48) == "disallowed"  # it says no, and acts for no user
    refused = (401, 402, 403, 404, 406, 410, 429, 444, 451, 499, 500, 503, 599)
    assert {counter("GPTBot", 48, status=status) for status in refused} == {"refused"}
    assert {counter("GPTBot", 48, status=status) for status in (200, 206, 301, 302, 304)} == {"disallowed"}
    assert counter("GPTBot", 48, path=b"/.well-known/tdmrep.json") == "allowed"  # who reads what is asked


def test_a_policy_that_is_restored_within_the_window_gives_grace() -> None:
    hour = timedelta(hours=1)
    history = [Version(NOON - 99 * hour, SHUT), Version(NOON, OPEN), Version(NOON + hour, SHUT)]
    judged = [judge(history, "GPTBot", NOON + h * hour, b"/x", 200).counter for h in (-1, 0, 1, 25, 26)]
    assert judged == ["disallowed", "allowed", "in_grace", "in_grace", "disallowed"]


def test_identity_labels_agree_with_the_crawler_table() -> None:
    for token in clients.NO_CHECK:
        assert not FACTS[token].ranges, token
        assert not FACTS[token].rdns, token
    for token in clients.OWN_LIST | clients.SHARED_LIST | clients.OTHER_LISTS:
        assert FACTS[token].ranges, token
        assert not FACTS[token].rdns, token
        assert not FACTS[token].web_bot_auth, token
    for token in clients.TWO_CHECKS:
        assert FACTS[token].rdns or FACTS[token].web_bot_auth, token
        assert FACTS[token].ranges, token
    assert clients.NAMED not in FACTS
    shared = {FACTS[token].ranges for token in clients.SHARED_LIST}
    own = {FACTS[token].ranges for token in clients.OWN_LIST | clients.OTHER_LISTS}
    assert len(shared) == 1
    assert len(own) == len(clients.OWN_LIST | clients.OTHER_LISTS)


@pytest.mark.parametrize(
    ("path", "robots_txt", "policy"),
    [
        ("/robots.txt", True, True),
        ("//robots.txt?x", True, True),
        ("/./robots.txt", True, True),
        ("/%72obots.txt", True, True),
        ("/a/../robots.txt", True, True),
        ("/robots.txt/", False, False),
        ("/ROBOTS.TXT", False, False),
        ("/x/robots.txt", False, False),
        ("/ai.txt", False, True),
        ("/ai%2etxt?x", False, True),
        ("/x/ai.txt", False, False),
        ("/.well-known/tdmrep.json", False, True),
        ("/%2Ewell-known/x", False, True),
        ("/.well-known/../private/x", False, False),
        ("/x/.well-known/y", False, False),
    ],
)
def test_reading_a_policy_is_always_allowed(path: str, robots_txt: bool, policy: bool) -> None:
    assert is_robots_txt(canonical(path)) is robots_txt
    assert is_policy(canonical(path)) is policy
