"""A site's own robots.txt and its policy, merged: the twelve rules of the house, by example."""

from itertools import product

import pytest

from aipolicy.core.crawlers import CRAWLERS, Purpose
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.matching import content_signals, usage_preferences, verdict
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.signals.switches import Signals
from tests.core.oracle import Intent
from tests.readers import READERS, excuse

NO_TRAINING, NO_AI = SitePolicy.from_preset("no-training"), SitePolicy.from_preset("no-ai")
OWN = b"""# our shop
User-agent: *
Disallow: /cart/  # not for anyone
Disallow: /search

User-agent: Googlebot
User-agent: GPTBot
Allow: /
Crawl-delay: 2

Sitemap: https://blog.example/sitemap.xml
"""


def test_a_complete_merged_file() -> None:
    text = robots_txt(NO_TRAINING, base=OWN).decode()
    blocked, rest = text.split("Disallow: /\n", 1)
    assert blocked.startswith("# BEGIN aipolicy\nUser-agent: ")
    assert {"User-agent: GPTBot", "User-agent: CCBot", "User-agent: AI2Bot"} <= set(blocked.split("\n"))
    assert rest == (
        "# END aipolicy\n"
        "\n"
        "# our shop\n"
        "User-agent: *\n"
        "# BEGIN aipolicy\n"
        "Content-Signal: search=yes, ai-train=no\n"
        "Content-Usage: train-ai=n\n"
        "# END aipolicy\n"
        "Disallow: /cart/ # not for anyone\n"
        "Disallow: /search\n"
        "\n"
        "User-agent: Googlebot\n"
        "# BEGIN aipolicy\n"
        "Content-Signal: search=yes, ai-train=no\n"
        "Content-Usage: train-ai=n\n"
        "# END aipolicy\n"
        "Allow: /\n"
        "Crawl-delay: 2\n"
        "\n"
        "Sitemap: https://blog.example/sitemap.xml\n"
    )


POLICIES = {
    "unset": SitePolicy.from_preset("unset"),
    "no-training": NO_TRAINING,
    "no-ai": NO_AI,
    "allow": SitePolicy.from_preset("allow"),
    "discouraged": SitePolicy(visibility="discouraged"),
    "private": SitePolicy(visibility="private"),
    "licensed": SitePolicy.from_preset("no-ai", licensed=("GPTBot", "AI2Bot", "PerplexityBot")),
    "paths": SitePolicy.from_preset(
        "no-training", path_preferences={"/press/": PRESETS["allow"], "/art/": PRESETS["no-ai"]}
    ),
    "broad": SitePolicy.from_preset(
        "no-ai", scope="broad", path_preferences={"/press/": PRESETS["allow"]}, licensed=("EchoboxBot",)
    ),
}


@pytest.mark.parametrize("base", [None, OWN], ids=["no-file", "own-file"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_every_parser_reads_the_policy_for_every_token_of_the_table(
    policy: SitePolicy, base: bytes | None
) -> None:
    merged = robots_txt(policy, base=base)
    intent = Intent(policy, base or b"")
    tokens = [*(crawler.product_token for crawler in CRAWLERS), "SomeBot"]
    for token, path in product(tokens, ("/", "/post/1", "/cart/x", "/press/kit", "/art/1")):
        right = intent.answers(token, path)
        for reader in READERS:
            if not excuse(reader, merged, token, path):
                assert reader.allowed(merged, token, path) in right, (reader.name, token, path)


@pytest.mark.parametrize("base", [b"", OWN, b"User-agent: *\r\nDisallow: /x", b"\xef\xbb\xbf<html>\xff"])
def test_a_policy_without_a_statement_leaves_the_file_byte_for_byte(base: bytes) -> None:
    merged = robots_txt(SitePolicy(), base=base)
    assert merged == (base or merged)


def test_house_rule_1_site_rules_and_signal_lines_are_repeated_for_a_licensed_crawler() -> None:
    policy = SitePolicy.from_preset("no-training", licensed=("CCBot",))
    robots = RobotsTxt.parse(robots_txt(policy, base="User-agent: *\nDisallow: /cart/\n"))
    assert not verdict(robots, "CCBot", "/cart/x").allowed
    assert verdict(robots, "CCBot", "/post").allowed
    assert content_signals(robots, "CCBot") == {"search": "yes", "ai-train": "no"}
    assert str(usage_preferences(robots, "CCBot", "/post")) == "train-ai=n"


def test_house_rule_2_a_group_of_the_sites_own_without_a_rule_gets_one() -> None:
    robots = RobotsTxt.parse(robots_txt(NO_TRAINING, base="User-agent: Bingbot\nCrawl-delay: 3\n"))
    assert all(group.rules for group in robots.groups)
    assert verdict(robots, "bingbot", "/x").allowed


def test_house_rule_5_two_groups_of_a_token_become_one() -> None:
    base = "User-agent: a\nDisallow: /1\n\nUser-agent: *\nDisallow: /2\n\nUser-agent: A\nDisallow: /3\n"
    robots = RobotsTxt.parse(robots_txt(NO_TRAINING, base=base))
    (group,) = [group for group in robots.groups if "a" in group.tokens]
    assert [rule.pattern for rule in group.rules] == ["/1", "/3"]


def test_house_rule_6_the_longest_rule_comes_first_and_allow_on_a_tie() -> None:
    base = "User-agent: *\nAllow: /\nDisallow: /p\nAllow: /p\nDisallow: /pq\n"
    robots = RobotsTxt.parse(robots_txt(NO_TRAINING, base=base))
    (group,) = [group for group in robots.groups if "*" in group.tokens]
    assert [str(rule) for rule in group.rules] == ["Disallow: /pq", "Allow: /p", "Disallow: /p", "Allow: /"]


def test_house_rule_7_utf8_line_feeds_and_no_byte_order_mark() -> None:
    merged = robots_txt(NO_TRAINING, base=b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /caf\xc3\xa9\r")
    assert b"\r" not in merged
    assert not merged.startswith(b"\xef\xbb\xbf")
    assert b"Disallow: /caf%C3%A9\n" in merged


@pytest.mark.parametrize("allow", ["Allow: /", "Allow: /$", "Allow: /*", "Allow: /post", "Disallow:"])
def test_an_owners_old_group_cannot_reopen_a_blocked_crawler(allow: str) -> None:
    merged = robots_txt(NO_TRAINING, base=f"User-agent: gptbot\n{allow}\n\nUser-agent: *\nAllow: /\n")
    for reader, path in product(READERS, ("/", "/post/1")):
        assert not reader.allowed(merged, "GPTBot", path), reader.name


def test_an_owners_own_block_stays_for_a_crawler_that_the_policy_leaves_open() -> None:
    merged = robots_txt(NO_TRAINING, base="User-agent: OAI-SearchBot\nDisallow: /\n")
    for reader in READERS:
        assert not reader.allowed(merged, "OAI-SearchBot", "/post")


def test_an_owners_stricter_signals_stay_and_laxer_ones_go() -> None:
    signals = "Content-Signal: search=no, ai-train=yes\nContent-Usage: train-ai=y, search=n\n"
    base = f"User-agent: *\n{signals}Allow: /\n"
    robots = RobotsTxt.parse(robots_txt(NO_TRAINING, base=base))
    assert content_signals(robots, "SomeBot") == {"search": "no", "ai-train": "no"}
    assert str(usage_preferences(robots, "SomeBot", "/")) == "train-ai=n, search=n"


def test_the_same_policy_twice_is_the_same_bytes() -> None:
    once = robots_txt(NO_AI, base=OWN)
    assert robots_txt(NO_AI, base=once) == once


@pytest.mark.parametrize(
    "base",
    [
        b"User-agent: *\nDisallow: /cart/\n",
        b"# ours\nUser-agent: *\nDisallow: /cart/\n\nSitemap: https://blog.example/sitemap.xml\n",
        b"User-agent: Bingbot\nDisallow: /cart/\n",
    ],
)
@pytest.mark.parametrize("policy", [NO_TRAINING, POLICIES["paths"], POLICIES["licensed"]])
def test_taking_the_policy_back_leaves_the_sites_own_file(policy: SitePolicy, base: bytes) -> None:
    assert robots_txt(SitePolicy(), base=robots_txt(policy, base=base)) == base


def test_a_private_site_has_nothing_for_anyone_and_keeps_nothing_of_its_own_file() -> None:
    merged = robots_txt(SitePolicy(visibility="private"), base=OWN)
    for reader, token in product(READERS, ("Googlebot", "GPTBot", "facebookexternalhit", "SomeBot")):
        assert not reader.allowed(merged, token, "/"), reader.name


def test_an_opt_out_blocks_no_search_engine_and_no_previewer() -> None:
    merged = robots_txt(NO_AI)
    tokens = [c.product_token for c in CRAWLERS if c.purpose in (Purpose.SEARCH_ENGINE, Purpose.PREVIEW)]
    assert {"Googlebot", "bingbot", "facebookexternalhit"} <= set(tokens)
    for reader, token in product(READERS, tokens):
        if not excuse(reader, merged, token, "/"):
            assert reader.allowed(merged, token, "/"), (reader.name, token)


def test_switches_leave_the_experimental_lines_out() -> None:
    merged = robots_txt(NO_TRAINING, Signals(content_usage=False, content_signal=False), base=OWN)
    assert b"Content-" not in merged
    assert not READERS[0].allowed(merged, "GPTBot", "/")


def test_sitemaps_are_listed_once() -> None:
    policy = SitePolicy.from_preset(
        "no-training", sitemaps=("https://blog.example/sitemap.xml", "https://blog.example/news.xml")
    )
    merged = robots_txt(policy, base=OWN)
    assert merged.count(b"Sitemap: https://blog.example/sitemap.xml\n") == 1
    assert merged.count(b"Sitemap: https://blog.example/news.xml\n") == 1


def test_rsl_comes_before_every_group() -> None:
    policy = SitePolicy.from_preset("no-training", license_url="https://blog.example/license.xml")
    lines = robots_txt(policy, Signals(rsl=True)).decode().split("\n")
    assert lines[1] == "License: https://blog.example/license.xml"


def test_a_path_preference_opens_and_closes_within_a_group() -> None:
    robots = RobotsTxt.parse(robots_txt(POLICIES["paths"], base="User-agent: *\nDisallow: /press/drafts/\n"))
    assert verdict(robots, "GPTBot", "/press/kit").allowed
    assert not verdict(robots, "GPTBot", "/press/drafts/1").allowed
    assert not verdict(robots, "GPTBot", "/post").allowed
    assert not verdict(robots, "OAI-SearchBot", "/art/1").allowed
    assert usage_preferences(robots, "Googlebot", "/press/kit") == PRESETS["allow"]
    assert usage_preferences(robots, "Googlebot", "/post") == Preferences.parse("train-ai=n")


def test_a_file_that_crawlers_would_not_read_to_its_end_is_an_error_with_its_fix() -> None:
    base = b"User-agent: *\n" + b"Disallow: /" + b"x" * MAX_ROBOTS_BYTES
    with pytest.raises(RobotsTooLargeError, match=r"blog\.example has 51\d{4} bytes.*512000; shorten"):
        robots_txt(NO_TRAINING.for_site("blog.example"), base=base)


@pytest.mark.parametrize(
    "base",
    [
        b"no robots.txt at all",
        b"User agent *\nSitemap https://blog.example/s.xml",
        b"Sitemap: https://blog.example/s.xml\nContent-Signal ai-train=yes",
        b"User-agent: GPTBot\nUser-agent: AddSearchBot\nContent-Signal ai-train=yes",
        b"Disallow-AI: /\n\nUser-agent: SomeBot\nDisallow: /a\n",
        b"Disallow-AI: /\n\nSitemap: https://blog.example/s.xml\n",
        b"# one\n\nUser-agent: GPTBot\nDisallow: /a\n# two\n",
    ],
)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_comments_find_their_place_the_first_time(policy: SitePolicy, base: bytes) -> None:
    once = robots_txt(policy, base=base)
    assert robots_txt(policy, base=once) == once


def test_a_line_above_the_groups_that_google_takes_for_another_becomes_a_comment() -> None:
    merged = robots_txt(NO_TRAINING, base="User-agent-x: *\n\nUser-agent: SomeBot\nDisallow: /a\n")
    assert b"\n# no effect: User-agent-x: *\nUser-agent: SomeBot\n" in merged
    assert all(reader.allowed(merged, "AnyBot", "/post") for reader in READERS)


def test_a_path_within_another_repeats_the_sites_preference_if_it_has_none() -> None:
    policy = SitePolicy.from_preset(
        "no-training", path_preferences={"/press/": PRESETS["allow"], "/press/embargo/": PRESETS["unset"]}
    )
    robots = RobotsTxt.parse(robots_txt(policy))
    for token in ("Googlebot", "GPTBot"):
        assert str(usage_preferences(robots, token, "/press/kit")) == "train-ai=y, ai-use=y"
    assert str(usage_preferences(robots, "Googlebot", "/press/embargo/1")) == "train-ai=n"
    assert not verdict(robots, "GPTBot", "/press/embargo/1").allowed


def test_a_group_has_no_usage_line_for_paths_that_it_closes() -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/art/": PRESETS["no-training"]})
    merged = robots_txt(policy).decode()
    closed, everyone = merged.split("\n\n")
    assert "Disallow: /art/" in closed
    assert "Content-Usage" not in closed
    assert "Content-Usage: /art/ train-ai=n" in everyone


@pytest.mark.parametrize("base", [b"", b"\n", b" \r\n"])
def test_an_empty_file_of_a_site_without_a_statement_is_kept(base: bytes) -> None:
    assert robots_txt(SitePolicy.from_preset("unset"), None, base) == base
    ours = robots_txt(SitePolicy.from_preset("unset"))
    assert robots_txt(SitePolicy.from_preset("unset"), None, ours) == ours
    assert robots_txt(SitePolicy.from_preset("no-training"), None, base) == robots_txt(
        SitePolicy.from_preset("no-training")
    )
