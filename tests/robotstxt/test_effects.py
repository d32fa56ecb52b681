"""The coverage of a file, the difference of two files, and the explanation of one answer."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.core.crawlers import CRAWLERS, Purpose
from aipolicy.core.paths import normalise
from aipolicy.core.patterns import path_matches
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.rendering import render
from aipolicy.robotstxt import compare, explain, lint
from aipolicy.robotstxt.matching import content_signals, usage_preferences, verdict
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.robotstxt.reach import Reach
from tests.core.strategies import base_files
from tests.effort import calls
from tests.robotstxt.files import lines

BLOCKED = "UA GPTBot | UA CCBot | Disallow: / | | UA * | Disallow: /drafts/ | Allow: /"


def test_the_coverage_lists_crawlers_by_purpose_and_reach() -> None:
    tokens = lint(lines(BLOCKED)).coverage.tokens
    assert tokens[Purpose.TRAINING][Reach.BLOCKED] == ("GPTBot",)
    assert tokens[Purpose.DATASET][Reach.BLOCKED] == ("CCBot",)
    assert "ClaudeBot" in tokens[Purpose.TRAINING][Reach.PARTLY]
    assert sum(len(names) for by in tokens.values() for names in by.values()) == len(CRAWLERS)


WORDPRESS = "UA * | Disallow: /wp-admin/ | Allow: /wp-admin/admin-ajax.php"


@pytest.mark.parametrize(
    "text",
    [WORDPRESS, "UA * | Disallow: /cgi-bin/ | Disallow: /?s= | Disallow: /search | Disallow: /wp-login.php"],
)
def test_nobody_is_blocked_in_part_if_every_post_is_open(text: str) -> None:
    coverage = lint(lines(text)).coverage
    assert coverage.count(Reach.PARTLY) == coverage.count(Reach.BLOCKED) == 0
    assert coverage.disobedient == ()


@pytest.mark.parametrize(
    "rule", ["/wp-content/uploads/", "/admin-notes", "/searching", "/2026/", "/*?p=", "/blog"]
)
def test_crawlers_are_blocked_in_part_if_a_post_may_be_closed(rule: str) -> None:
    assert (
        lint(lines(f"{WORDPRESS} | Disallow: {rule}")).coverage.count(Reach.OPEN) == 2
    )  # Yandex's, which heed only their own names


def test_a_crawler_that_obeys_only_its_own_name_is_not_blocked_by_the_star() -> None:
    tokens = lint(lines("UA * | Disallow: /")).coverage.tokens
    assert set(tokens[Purpose.CONTROL][Reach.OPEN]) == {"YandexAdditional", "YandexAdditionalBot"}


def test_blocked_crawlers_that_do_not_obey_are_listed() -> None:
    coverage = lint(lines("UA Perplexity-User | UA GPTBot | Disallow: /")).coverage
    assert coverage.disobedient == ("Perplexity-User",)


@settings(max_examples=100, deadline=None)
@given(base_files)
def test_a_blocked_crawler_may_fetch_nothing_and_an_open_one_everything(body: bytes) -> None:
    robots = RobotsTxt.parse(body)
    coverage = lint(body).coverage
    for by in coverage.tokens.values():
        for reach in (Reach.BLOCKED, Reach.OPEN):
            for token in by[reach][:3]:
                if token.startswith(("Yandex", "Googlebot", "Applebot")):  # by their operators' own rules
                    continue
                answers = {
                    verdict(robots, token, path).allowed for path in ("/", "/a", "/open/x.jpg", "/a?b")
                }
                assert answers == {reach is Reach.OPEN}


@settings(max_examples=100, deadline=None)
@given(st.one_of(base_files, st.binary()))
def test_nothing_fails_on_any_file_and_all_of_it_can_be_printed(body: bytes) -> None:
    for finding in lint(body).findings:
        for text in (finding.found, finding.effect, *finding.fix.split("\n")):
            assert text.isprintable()
            assert len(text) < 2000
        assert finding.lines == tuple(sorted(set(finding.lines)))
    assert compare(body, body) == ()
    explain(body, "GPTBot", "/x")


def test_order_comments_and_spelling_make_no_difference() -> None:
    one = lines("UA GPTBot | Disallow: /a | Disallow: /b | | UA * | Allow: /")
    other = lines(
        "# ours | user-agent: * | allow: / | | useragent: gptbot | Disallow: /b # b | disallow: /%61"
    )
    assert compare(one, other) == ()


def test_a_new_group_is_one_difference_for_all_its_crawlers() -> None:
    (difference,) = compare(lines("UA * | Disallow: /drafts/ | Allow: /"), lines(BLOCKED))
    assert difference.tokens == ("CCBot", "GPTBot")
    assert not difference.others
    assert {"/", "/2026/a-post"} <= set(difference.change.closed)
    assert "/drafts/" not in difference.change.closed
    assert difference.change.opened == ()


def test_a_change_for_everyone_says_so_and_lists_what_opened() -> None:
    (difference,) = compare(lines("UA * | Disallow: /a"), lines("UA * | Disallow: /a/b"))
    assert difference.others
    assert "GPTBot" in difference.tokens
    assert difference.change.opened == ("/a", "/ax")


def test_paths_that_two_wildcards_match_are_tried() -> None:
    one = lines("UA * | Disallow: /a*")
    other = lines("UA * | Disallow: /a* | Allow: /*.html")
    (difference,) = compare(one, other)
    assert difference.change.opened


def test_signals_are_compared_too() -> None:
    one = lines("UA * | Content-Signal: ai-train=no | Allow: /")
    other = lines("UA * | Content-Usage: train-ai=n | Content-Usage: /press/ train-ai=y | Allow: /")
    (difference,) = compare(one, other)
    assert difference.change.signals == (
        ("Content-Signal", "ai-train=no", ""),
        ("Content-Usage at /2026/a-post", "", "train-ai=n"),
        ("Content-Usage at /press/", "", "train-ai=y"),
    )


@settings(max_examples=100, deadline=None)
@given(base_files, base_files)
def test_a_difference_is_true_in_both_files(one: bytes, other: bytes) -> None:
    robots = RobotsTxt.parse(one), RobotsTxt.parse(other)
    for difference in compare(one, other):
        others = [t for t in difference.tokens if not t.startswith(("Yandex", "Googlebot", "Applebot"))]
        if not others and difference.tokens:  # by their operators' own rules
            continue
        token = others[0] if others else "unknown"
        for path in difference.change.closed[:4]:
            assert [verdict(r, token, path).allowed for r in robots] == [True, False]
        for path in difference.change.opened[:4]:
            assert [verdict(r, token, path).allowed for r in robots] == [False, True]


def test_an_explanation_has_the_group_the_rule_and_the_other_answers() -> None:
    body = lines("UA * | Content-Signal: ai-train=no | | UA AI2Bot # theirs | Disallow: / # all")
    explained = explain(body, "AI2Bot", "/x")
    assert (explained.ruling.allowed, explained.ruling.line, explained.because) == (False, 5, "named")
    assert explained.agent_lines == (4,)
    assert explained.text(5) == "Disallow: /"
    assert explained.content_signals == {"ai-train": "no"}  # the groups are read as one
    assert not explained.dialects["google"].allowed  # by the star, whose group goes on
    assert not explained.dialects["protego"].allowed


def test_an_explanation_says_why_a_group_binds() -> None:
    body = lines("UA GPTBot | Disallow: /a")
    assert explain(body, "GPTBot", "/a").because == "named"
    assert explain(body, "CCBot", "/a").because == "none"
    assert explain(lines("UA * | Disallow: /a"), "CCBot", "/a").because == "*"


def test_a_crawler_with_a_stand_in_is_explained_and_compared_as_it_is_counted() -> None:
    shut, open_ = lines("UA Googlebot | Disallow: /"), lines("UA Googlebot | Allow: /")
    explained = explain(shut, "Applebot", "/a")
    assert (explained.ruling.allowed, explained.because, explained.agent_lines) == (False, "stand-in", (1,))
    assert "Applebot" in lint(shut).coverage.tokens[Purpose.SEARCH_ENGINE][Reach.BLOCKED]
    (difference,) = compare(open_, shut)
    assert {"Applebot", "Googlebot", "Googlebot-Image"} <= set(difference.tokens)
    assert not explain(shut, "Applebot", "/robots.txt?x").ruling.line
    named = lines("UA Googlebot | Disallow: / | | UA Applebot | Allow: /")
    own = explain(named, "Applebot", "/a")
    assert (own.because, own.ruling.line) == ("named", 5)


def test_a_crawler_that_obeys_only_its_name_is_explained_and_compared_so() -> None:
    shut = lines("UA * | Disallow: /")
    explained = explain(shut, "YandexAdditional", "/a")
    assert (explained.ruling.allowed, explained.because) == (True, "none")
    (difference,) = compare(lines("UA * | Allow: /"), shut)
    assert "YandexAdditional" not in difference.tokens


def test_an_explanation_of_our_own_file_is_the_same_in_every_dialect() -> None:
    body = render(SitePolicy.from_preset("no-ai", site="blog.example")).robots.body
    robots = RobotsTxt.parse(body)
    for token in ("GPTBot", "ClaudeBot", "Googlebot", "bingbot", "OAI-SearchBot", "unknown"):
        explained = explain(body, token, "/post/1")
        assert explained.ruling.allowed is verdict(robots, token, "/post/1").allowed
        assert {ruling.allowed for ruling in explained.dialects.values()} == {explained.ruling.allowed}
        assert explained.content_signals == content_signals(robots, token)
        assert explained.usage_preferences == usage_preferences(robots, token, "/post/1")


def test_usage_lines_are_read_as_one_line_after_the_other_matched_by_protego() -> None:
    patterns = ("", "/", "/a", "/a*", "/a*b$", "/ab", "/%61", "/a b", "*", "/x$", "private")
    statements = ("train-ai=n", "train-ai=y, search=n", "ai-use=n,", "train-ai")
    paths = ("/", "/a", "/ab", "/axb", "/x", "/xy", "/private")
    for one, other in itertools.product(itertools.product(patterns, statements), repeat=2):
        values = [f"{pattern} {statement}".strip(" ") for pattern, statement in (one, other)]
        lines = [f"Content-Usage: {value}" for value in values]
        robots = RobotsTxt.parse("\n".join(["User-agent: *", *lines, "Allow: /"]))
        for path in paths:
            assert usage_preferences(robots, "x", path) == plainly_read(values, path), (lines, path)


def plainly_read(values: list[str], path: str) -> Preferences:
    """Return the preferences of Content-Usage values for a path: a second reading of attach-05 §3."""
    with_path = [value.partition(" ") if value.startswith("/") else ("/", "", value) for value in values]
    stated = [(normalise(pattern), statement) for pattern, _, statement in with_path]
    matching = [(pattern, statement) for pattern, statement in stated if path_matches(pattern, path)]
    longest = max((pattern for pattern, _ in matching), key=len, default="")
    preferences = Preferences()
    for pattern, statement in matching:
        if pattern == longest:
            preferences = preferences.combined(Preferences.parse(statement))
    return preferences


def test_two_files_of_ten_thousand_names_in_one_group_are_compared_in_seconds() -> None:
    names = "".join(f"User-agent: b{number}\n" for number in range(10_000))
    rules = "".join(f"Disallow: /a*b{number}\n" for number in range(5_000))
    differences, count = calls(lambda: compare((names + rules).encode(), (names + "Allow: /\n").encode()))
    assert count < 10_000_000, count
    assert len(differences[0].tokens) == 10_000
