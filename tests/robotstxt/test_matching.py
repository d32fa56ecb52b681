"""The group that binds a product token, the verdict on a path, and its line: RFC 9309, attach-05."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.core.paths import normalise
from aipolicy.core.patterns import path_matches
from aipolicy.robotstxt.matching import (
    binding_group,
    content_signals,
    usage_preferences,
    verdict,
)
from aipolicy.robotstxt.parser import RobotsTxt
from tests.core import oracle
from tests.core.strategies import base_files
from tests.sizes import size


def file(text: str) -> RobotsTxt:
    """Lines separated by `|`; nothing between two is a blank line."""
    return RobotsTxt.parse("".join(f"{line.strip()}\n" for line in text.split("|")))


R2 = "User-agent: * | Content-Signal: ai-train=no | | User-agent: GPTBot | Disallow: /"
R4 = R2.replace("no |", "no | Allow: / |", 1)
R23 = (
    "User-agent: * | Allow: / | Disallow: /never/ | Content-Usage: train-ai=n "
    "| Content-Usage: /ai-ok/ train-ai=y"
)
HEADER = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1; +https://openai.com/gptbot)"
)

# The rows of the matrix of parsers, with RFC 9309's own answers: each row's section is named.
VECTORS = [
    ("R1 2.2.1 a group of its own replaces *", "GPTBot", "/admin/x", True,
     "User-agent: * | Disallow: /admin/ | | User-agent: GPTBot | Disallow: /private/"),
    ("R2 2.2.4 other records do not end a group", "OtherBot", "/x", False, R2),
    ("R3 2.2.4 without the blank line", "OtherBot", "/x", False, R2.replace(" | |", " |")),
    ("R4 2.1 a rule ends the user-agent lines", "OtherBot", "/x", True, R4),
    ("R4 2.1 and the next group has its own", "GPTBot", "/x", False, R4),
    ("R5 2.2.4 nor do they split user-agent lines", "GPTBot", "/x", False,
     "User-agent: GPTBot | Content-Usage: train-ai=n | User-agent: CCBot | Disallow: /"),
    ("R6 2.2 a group may hold empty lines", "GPTBot", "/x", False, "User-agent: GPTBot | | Disallow: /"),
    ("R7 2.2 between rules too", "GPTBot", "/b", False, "User-agent: GPTBot | Disallow: /a | | Disallow: /b"),
    ("R8 2.2.2 the longest match, not the first", "AnyBot", "/p", False,
     "User-agent: * | Allow: / | Disallow: /p"),
    ("R9 2.2.1 groups for one token are combined", "GPTBot", "/b", False,
     "User-agent: GPTBot | Disallow: /a | | User-agent: GPTBot | Disallow: /b"),
    ("R10 2.2.1 a token is compared whole", "Applebot-Extended", "/x", True,
     "User-agent: Applebot | Disallow: /"),
    ("R11 2.2.1 in both directions", "Applebot", "/x", True, "User-agent: Applebot-Extended | Disallow: /"),
    ("R12 2.2.1 a User-Agent header is no token", HEADER, "/x", True, "User-agent: GPTBot | Disallow: /"),
    ("R13 2.2.1 nor is a token with a version", "GPTBot/1.1", "/x", True, "User-agent: GPTBot | Disallow: /"),
    ("R14 house a token outside the grammar is compared whole", "AI2Bot", "/x", False,
     "User-agent: AI2Bot | Disallow: /"),
    ("R14 house and not cut", "AI", "/x", True, "User-agent: AI2Bot | Disallow: /"),
    ("R15 house one with a space too", "Kangaroo Bot", "/x", False, "User-agent: Kangaroo Bot | Disallow: /"),
    ("R15 house and not cut there", "Kangaroo", "/x", True, "User-agent: Kangaroo Bot | Disallow: /"),
    ("R16 house a version in the file is left out", "MistralAI-User", "/x", False,
     "User-agent: MistralAI-User/1.0 | Disallow: /"),
    ("R17 2.2.3 * and $", "AnyBot", "/a/b.jpg", False, "User-agent: * | Disallow: /*.jpg$ | Allow: /"),
    ("R17 2.2.3 $ is the end", "AnyBot", "/a/b.jpg?x", True, "User-agent: * | Disallow: /*.jpg$ | Allow: /"),
    ("R18 2.2.2 on a tie Allow", "AnyBot", "/page", True, "User-agent: * | Disallow: /page | Allow: /page"),
    ("R19 house a byte order mark is skipped", "AnyBot", "/x", False, "\ufeffUser-agent: * | Disallow: /"),
    ("R20 2.2.2 robots.txt is implicitly allowed", "AnyBot", "/robots.txt", True,
     "User-agent: * | Disallow: /"),
    ("R21 2.2.4 a longer field name is another record", "AnyBot", "/p", True,
     "User-agent: * | Disallow-AI-Training: / | Allow: /ok"),
    ("R22 2.1 a group may have no rules", "GPTBot", "/x", True,
     "User-agent: * | Disallow: / | | User-agent: GPTBot"),
    ("R23 2.2.4 usage lines change no crawling", "AnyBot", "/never/a", False, R23),
    ("R23 2.2.4 nor those with a path", "AnyBot", "/ai-ok/a", True, R23),
    ("2.2.1 tokens are compared in any case", "gptBOT", "/x", False, "User-agent: GPTBot | Disallow: /"),
    ("2.2.1 no group and no *: everything is allowed", "AnyBot", "/x", True,
     "User-agent: GPTBot | Disallow: /"),
    ("2.2.2 paths are case-sensitive", "AnyBot", "/X", True, "User-agent: * | Disallow: /x"),
    ("2.2.2 the query counts", "AnyBot", "/search?q=1", False, "User-agent: * | Disallow: /*?q="),
    ("2.2.2 escapes in any case", "AnyBot", "/tag/caf%c3%a9", False,
     "User-agent: * | Disallow: /tag/caf%C3%A9"),
    ("2.2.2 a raw octet is its escape", "AnyBot", "/tag/caf%C3%A9", False,
     "User-agent: * | Disallow: /tag/café"),
    ("2.2.2 unreserved escapes are decoded", "AnyBot", "/foo/bar/baz", False,
     "User-agent: * | Disallow: /foo/bar/%62%61%7A"),
    ("2.2.2 %2F is not /", "AnyBot", "/a/b", True, "User-agent: * | Disallow: /a%2Fb"),
    ("2.2.2 a page that is allowed allows no folder", "AnyBot", "/", False,
     "User-agent: * | Disallow: / | Allow: /index.html"),
    ("2.2.2 bytes are counted, not their escapes", "AnyBot", "/a:b/x", False,
     "User-agent: * | Allow: /a:b | Disallow: /a:b/"),
    ("2.2.3 an escaped * is that character", "AnyBot", "/ax", True, "User-agent: * | Disallow: /a%2A"),
    ("2.2.3 an escaped * in the rule is one in the path", "AnyBot", "/a*", False,
     "User-agent: * | Disallow: /a%2a"),
    ("2.2.3 an escaped $ in the rule is one in the path", "AnyBot", "/a$b", False,
     "User-agent: * | Disallow: /a%24b"),
    ("2.2.2 an empty Disallow matches nothing", "AnyBot", "/x", True, "User-agent: * | Disallow:"),
    ("2.2.2 a pattern without / at its beginning matches nothing", "AnyBot", "/private", True,
     "User-agent: * | Disallow: private"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("token", "path", "allowed", "text"),
    [row[1:] for row in VECTORS],
    ids=[row[0].replace(" ", "-") for row in VECTORS],
)
def test_rfc9309_2_2(token: str, path: str, allowed: bool, text: str) -> None:
    assert verdict(file(text), token, path).allowed is allowed


def test_rfc9309_5_2_the_rfcs_own_example_of_the_longest_match() -> None:
    robots = file("User-Agent: foobot | Allow: /example/page/ | Disallow: /example/page/disallowed.gif")
    assert verdict(robots, "foobot", "/example/page/").allowed
    assert not verdict(robots, "foobot", "/example/page/disallowed.gif").allowed


def test_rfc9309_5_1_the_rfcs_own_simple_example() -> None:
    robots = file(
        "User-Agent: * | Disallow: *.gif$ | Disallow: /example/ | Allow: /publications/ | "
        "| User-Agent: foobot | Disallow:/ | Allow:/example/page.html | Allow:/example/allowed.gif | "
        "| User-Agent: barbot | User-Agent: bazbot | Disallow: /example/page.html | "
        "| User-Agent: quxbot | | # EOF"
    )
    assert not verdict(robots, "AnyBot", "/a.gif").allowed
    assert verdict(robots, "foobot", "/example/allowed.gif").allowed
    assert not verdict(robots, "foobot", "/publications/").allowed
    assert not verdict(robots, "bazbot", "/example/page.html").allowed
    assert verdict(robots, "quxbot", "/example/").allowed


@pytest.mark.parametrize(
    ("path", "line"), [("/", 2), ("/a/x", 3), ("/a/b/x", 4), ("/a/b/c", 5), ("/robots.txt", None)]
)
def test_a_verdict_names_the_line_that_decided(path: str, line: int | None) -> None:
    robots = file("User-agent: * | Allow: / | Disallow: /a/ | Allow: /a/b/ | Disallow: /a/b/c$")
    rule = verdict(robots, "AnyBot", path).rule
    assert (rule and rule.line) == line


def test_on_a_tie_the_deciding_line_is_the_allow() -> None:
    rule = verdict(file("User-agent: * | Disallow: /page | Allow: /page"), "AnyBot", "/page").rule
    assert rule is not None
    assert (rule.allow, rule.line) == (True, 3)


def test_no_rule_decides_about_a_path_that_none_matches() -> None:
    found = verdict(file("User-agent: GPTBot | Disallow: /x"), "GPTBot", "/y")
    assert (found.allowed, found.rule) == (True, None)
    assert found.group is not None
    assert found.group.tokens == ("GPTBot",)


def test_the_binding_group_holds_the_records_of_all_groups_of_the_token() -> None:
    group = binding_group(
        file("User-agent: a | Disallow: /1 | User-agent: b | Disallow: /2 | User-agent: A | Allow: /3"), "a"
    )
    assert group is not None
    assert [str(rule) for rule in group.rules] == ["Disallow: /1", "Allow: /3"]


@settings(max_examples=300, deadline=None)
@given(
    base_files,
    st.sampled_from(["GPTBot", "Googlebot", "SomeBot"]),
    st.sampled_from(["/", "/a", "/open/closed/x", "/a?s=1"]),
)
def test_any_file_is_judged_as_a_plain_reading_of_the_rfc_judges_it(
    base: bytes, token: str, path: str
) -> None:
    robots = RobotsTxt.parse(base)
    group = binding_group(robots, token)
    expected = oracle.verdict([(rule.allow, rule.pattern) for rule in group.rules], path) if group else True
    found = verdict(robots, token, path)
    assert found.allowed is expected
    if found.rule:
        assert found.rule.allow is found.allowed
        assert oracle.matches(found.rule.pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a", "/ab", True),
        ("/a$", "/ab", False),
        ("/*/c", "/a/b/c", True),
        ("", "/anything", True),
        ("/caf%C3%A9", "/café", True),
        ("/a*b$", "/a/b/bb", True),
    ],
)
def test_rfc9309_2_2_3_a_pattern_matches_from_the_first_octet(pattern: str, path: str, matches: bool) -> None:
    assert path_matches(pattern, path) is matches


A14 = R23 + " | | User-agent: ExampleBot | Allow: / | Content-Usage: train-ai=y"


@pytest.mark.parametrize(
    ("token", "path", "statement", "text"),
    [
        pytest.param("AnyBot", "/test", "train-ai=n", R23, id="A13-the-whole-site"),
        pytest.param("AnyBot", "/never/test", "", R23, id="A13-nothing-where-crawling-is-disallowed"),
        pytest.param("AnyBot", "/ai-ok/test", "train-ai=y", R23, id="A13-the-longest-path-alone"),
        pytest.param("ExampleBot", "/never/test", "train-ai=y", A14, id="A14-the-crawlers-own-group"),
        pytest.param("AnyBot", "/x", "train-ai=n",
                     "User-agent: * | Allow: / | Content-Usage: /x train-ai=n | Content-Usage: /x train-ai=y",
                     id="A15-equal-paths-are-combined"),
        pytest.param("AnyBot", "/a b/c", "",
                     "User-agent: * | Allow: / | Content-Usage: /a b/ train-ai=n",
                     id="A17-a-space-ends-the-path"),
        pytest.param("AnyBot", "/x", "",
                     "Content-Usage: train-ai=n | User-agent: * | Allow: /",
                     id="before-any-group"),
    ],
)  # fmt: skip
def test_aipref_attach_3_usage_lines(token: str, path: str, statement: str, text: str) -> None:
    assert str(usage_preferences(file(text), token, path)) == statement


def test_content_signals_c5_a_group_of_its_own_replaces_the_signals_for_everyone() -> None:
    robots = file(
        "User-agent: * | Content-Signal: ai-train=no | Allow: / | | User-agent: ExampleBot | Allow: /"
    )
    assert content_signals(robots, "AnyBot") == {"ai-train": "no"}
    assert content_signals(robots, "ExampleBot") == {}


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/%3F", "/?", True),
        ("/%", "/?", True),
        ("/?", "/?", False),
        ("/?", "/", True),
        ("/a$", "/a$", True),
        ("/a%24", "/a%24", False),
        ("/a%24", "/a$", False),
        ("/a%24", "/a", True),
        ("/a%2A$", "/a*", False),
        ("/a%2A$", "/a*b", True),
        ("/a$b", "/a$b", False),
        ("/a_b", "/a_b", False),
        ("/a_3Fb", "/a?b", True),
        ("/*?x=", "/p?x=1", False),
    ],
)
def test_a_question_mark_and_a_dollar_are_themselves(pattern: str, path: str, allowed: bool) -> None:
    robots = RobotsTxt.parse(f"User-agent: *\nDisallow: {pattern}\n")
    assert verdict(robots, "GPTBot", path).allowed is allowed


_PIECES = st.sampled_from(["a", "2", "_", "/", "*", "$", "%2B", "?", "%", "&", "~", ".", "é", "%41"])


@pytest.mark.proof
@settings(max_examples=size(full=20_000, ci=1_000))
@given(st.lists(_PIECES, max_size=6), st.lists(_PIECES, max_size=8))
def test_a_pattern_matches_what_the_rfc_says(pattern: list[str], path: list[str]) -> None:
    normal, sent = normalise("/" + "".join(pattern)), "/" + "".join(path)
    assert path_matches(normal, sent) == oracle.matches(normal, sent)


@pytest.mark.parametrize(
    ("pattern", "path"), [("/*2", "/&"), ("/*A", "/%2a"), ("/b*6", "/b&"), ("/*5F$", "/_")]
)
def test_a_pattern_is_never_found_within_an_escape_of_our_own(pattern: str, path: str) -> None:
    assert not path_matches(pattern, path)
