"""The constructs that every reader reads alike: a generator may use all of them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers import READERS, excuse
from tests.readers.notation import RECORDS, SIGNAL, lines, unanimous

COMMENTS = ("# BEGIN group", "#", "# User-agent: CCBot", "# Allow: /", "# see https://blog.example/policy")


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_comment_line_changes_nothing_anywhere(comment: str) -> None:
    group = (
        "User-agent: GPTBot",
        "User-agent: CCBot",
        "Disallow: /a",
        "Disallow: /b",
        "",
        "User-agent: *",
        "Allow: /",
    )
    for place in range(len(group) + 1):
        robots_txt = lines("|".join((*group[:place], comment, *group[place:])))
        for token in ("GPTBot", "CCBot"):
            assert [unanimous(robots_txt, token, path) for path in ("/a", "/b", "/c")] == [False, False, True]
        assert unanimous(robots_txt, "AnyBot", "/a")


@pytest.mark.parametrize("record", RECORDS)
def test_an_unknown_record_changes_nothing_in_a_group_with_a_rule(record: str) -> None:
    for place in (1, 2, 3):
        group = ["User-agent: GPTBot", "Disallow: /a", "Disallow: /b"]
        group.insert(place, record)
        robots_txt = lines("|".join((*group, "", "User-agent: *", "Allow: /")))
        assert [unanimous(robots_txt, "GPTBot", path) for path in ("/a", "/b", "/c")] == [False, False, True]
        assert unanimous(robots_txt, "AnyBot", "/a")


def test_a_sitemap_changes_nothing_anywhere() -> None:
    group = ["User-agent: GPTBot", "User-agent: CCBot", "Disallow: /a", "", "User-agent: *", "Disallow: /b"]
    for place in range(len(group) + 1):
        robots_txt = lines("|".join((*group[:place], "Sitemap: https://blog.example/s.xml", *group[place:])))
        for token in ("GPTBot", "CCBot"):
            assert [unanimous(robots_txt, token, path) for path in ("/a", "/b")] == [False, True]
        assert [unanimous(robots_txt, "AnyBot", path) for path in ("/a", "/b")] == [True, False]


@pytest.mark.parametrize(
    "first", ["Disallow: /", SIGNAL, "Crawl-delay: 3", "# hello", "Sitemap: https://blog.example/s"]
)
@pytest.mark.parametrize("blank", ["", "|"])
def test_lines_before_the_first_user_agent_line_change_nothing(first: str, blank: str) -> None:
    robots_txt = lines(f"{first}{blank}|User-agent: GPTBot|Disallow: /a")
    assert [unanimous(robots_txt, "GPTBot", path) for path in ("/a", "/b")] == [False, True]
    assert unanimous(robots_txt, "AnyBot", "/a")


@pytest.mark.parametrize("blank", ["", "|"])
@pytest.mark.parametrize("empty", ["Disallow:", "Allow:", "Disallow: # nothing"])
def test_an_empty_rule_allows_everything_and_ends_the_user_agent_lines(empty: str, blank: str) -> None:
    robots_txt = lines(
        f"User-agent: GPTBot|{empty}{blank}|User-agent: CCBot|Disallow: /|{blank}User-agent: *|Disallow: /"
    )
    assert unanimous(robots_txt, "GPTBot", "/x")
    assert not unanimous(robots_txt, "CCBot", "/x")
    assert not unanimous(robots_txt, "AnyBot", "/x")


def test_several_blank_lines_between_groups_are_as_good_as_one_or_none() -> None:
    for blanks in ("", "|", "|||"):
        robots_txt = lines(f"User-agent: GPTBot|Disallow: /a|{blanks}User-agent: CCBot|Disallow: /b")
        assert [unanimous(robots_txt, "GPTBot", path) for path in ("/a", "/b")] == [False, True]
        assert [unanimous(robots_txt, "CCBot", path) for path in ("/a", "/b")] == [True, False]


def test_a_token_may_appear_twice_in_a_group_and_with_the_star() -> None:
    robots_txt = lines("User-agent: GPTBot|User-agent: gptbot|User-agent: *|User-agent: CCBot|Disallow: /a")
    for token in ("GPTBot", "CCBot", "AnyBot"):
        assert [unanimous(robots_txt, token, path) for path in ("/a", "/b")] == [False, True]


@pytest.mark.parametrize(
    ("short", "long"), [("Applebot", "Applebot-Extended"), ("omgili", "omgilibot"), ("bot", "Applebot")]
)
@pytest.mark.parametrize("allowed", ["short", "long"])
def test_all_agree_on_a_token_within_another_if_the_longer_comes_first(
    short: str, long: str, allowed: str
) -> None:
    rules = {"short": "Disallow: /", "long": "Disallow: /"} | {allowed: "Allow: /"}
    robots_txt = lines(f"User-agent: {long}|{rules['long']}||User-agent: {short}|{rules['short']}")
    assert unanimous(robots_txt, long, "/x") is (allowed == "long")
    assert unanimous(robots_txt, short, "/x") is (allowed == "short")


@pytest.mark.parametrize("char", "!'(),;:@&=+~-._[]{}|^`\"<>\\")
def test_all_agree_on_a_character_spelt_alike_in_rule_and_path(char: str) -> None:
    escaped = f"%{ord(char):02X}"
    if char not in "~-._":
        robots_txt = f"User-agent: *\nDisallow: /a{escaped}b\n".encode()
        assert not unanimous(robots_txt, "AnyBot", f"/a{escaped}b")
        assert unanimous(robots_txt, "AnyBot", "/axb")
    if char != "\\":
        robots_txt = f"User-agent: *\nDisallow: /a{char}b\n".encode()
        assert not unanimous(robots_txt, "AnyBot", f"/a{char}b")


# fmt: off
PLAIN_PATTERNS = (
    "/", "/a", "/a/", "/ab", "/a/b", "/a/b/", "/a/bc", "/admin", "/admin/", "/search", "/x-y_z.html", "/a?b",
    "/a?b=c", "/~u", "/caf%C3%A9", "/caf%C3%A9/x", "/caf%C3%A8", "/a%20b", "/p;q", "/a=b", "/a&b", "/a+b",
    "/a@b", "/a:b", "/a,b", "/a!b", "/a(b)", "/a'b", "/%25", "/a%23b", "/a%5Bb",
)
# fmt: on
plain_rules = st.lists(st.tuples(st.booleans(), st.sampled_from(PLAIN_PATTERNS)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(plain_rules)
def test_rules_without_wildcards_are_read_alike_if_the_longest_comes_first(
    rules: list[tuple[bool, str]],
) -> None:
    rules = sorted(rules, key=lambda rule: (-len(rule[1]), not rule[0]))
    text = "".join(f"{'Allow' if allow else 'Disallow'}: {pattern}\n" for allow, pattern in rules)
    robots_txt = f"User-agent: *\n{text}".encode()
    for _, pattern in rules:
        for path in (pattern, f"{pattern}x", f"{pattern}/", f"{pattern}?q=1"):
            path = path.replace("//", "/")
            expected = next((allow for allow, prefix in rules if path.startswith(prefix)), True)
            assert unanimous(robots_txt, "AnyBot", path) is expected


# fmt: off
TRAINING = (
    "Amazonbot", "anthropic-ai", "Applebot-Extended", "Bytespider", "CCBot", "ClaudeBot", "Diffbot",
    "cohere-training-data-crawler", "FacebookBot", "Google-Extended", "GoogleOther", "GPTBot", "ImagesiftBot",
    "meta-externalagent", "omgilibot", "omgili", "PanguBot", "Timpibot", "Webzio-Extended",
    "YandexAdditionalBot", "YandexAdditional",
)
# fmt: on
OTHERS = ("Googlebot", "Applebot", "OAI-SearchBot", "bingbot", "Claude-User", "AnyBot")
GENERATED = lines(
    "|".join(f"User-agent: {token}" for token in TRAINING)
    + "|Disallow: /||User-agent: *|Content-Signal: search=yes, ai-train=no|Content-Usage: train-ai=n"
    "|Disallow: /admin/|Disallow: /search|Allow: /||Sitemap: https://blog.example/sitemap.xml"
)


def test_every_reader_reads_a_file_of_the_generators_form_as_meant() -> None:
    for token, path in itertools.product((*TRAINING, *OTHERS), ("/", "/post/1", "/admin/x", "/search?q=1")):
        meant = token in OTHERS and not path.startswith(("/admin/", "/search"))
        assert unanimous(GENERATED, token, path) is meant


def test_no_limit_excuses_anybody_from_a_file_of_the_generators_form() -> None:
    for reader, token, path in itertools.product(READERS, (*TRAINING, *OTHERS), ("/", "/post/1", "/admin/x")):
        assert excuse(reader, GENERATED, token, path) is None
