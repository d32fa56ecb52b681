"""The crawler table: complete, careful, and each fact with its source."""

import re
from datetime import date

import pytest

from aipolicy.core.crawlers import CRAWLERS, LEFT_OUT, Purpose, crawler_named
from aipolicy.core.preferences import Category
from aipolicy.core.robots import product_token, truncated

BY_TOKEN = {crawler.product_token: crawler for crawler in CRAWLERS}
BLOCKING = [crawler for crawler in CRAWLERS if crawler.purpose.categories]
NEVER_BLOCKED = [crawler for crawler in CRAWLERS if not crawler.purpose.categories]

# What an opt-out from training must reach at the least.
TRAINING = [
    "Amazonbot",
    "anthropic-ai",
    "Applebot-Extended",
    "Bytespider",
    "CCBot",
    "ClaudeBot",
    "cohere-training-data-crawler",
    "Diffbot",
    "FacebookBot",
    "Google-Extended",
    "GoogleOther",
    "GPTBot",
    "ImagesiftBot",
    "LAIONDownloader",
    "meta-externalagent",
    "MistralAI-Training",
    "omgili",
    "omgilibot",
    "PanguBot",
    "Timpibot",
    "Webzio-Extended",
    "YandexAdditional",
    "YandexAdditionalBot",
    "AI2Bot",
    "img2dataset",
]


def test_tokens_are_sorted_and_each_is_there_once() -> None:
    tokens = [crawler.product_token.lower() for crawler in CRAWLERS]
    assert tokens == sorted(set(tokens))


@pytest.mark.parametrize("token", TRAINING)
def test_an_opt_out_from_training_reaches(token: str) -> None:
    assert Category.TRAIN_AI in BY_TOKEN[token].purpose.categories


@pytest.mark.parametrize("token", ["OAI-SearchBot", "PerplexityBot", "Claude-User", "ChatGPT-User", "YouBot"])
def test_an_opt_out_from_training_leaves_ai_search_and_users_alone(token: str) -> None:
    assert Category.TRAIN_AI not in BY_TOKEN[token].purpose.categories
    assert Category.AI_USE in BY_TOKEN[token].purpose.categories


@pytest.mark.parametrize(
    "token",
    [
        "Googlebot",
        "bingbot",
        "Applebot",
        "DuckDuckBot",
        "facebookexternalhit",
        "Google-CloudVertexBot",
        "OAI-AdsBot",
    ],
)
def test_no_opt_out_costs_an_owner_search_or_shares(token: str) -> None:
    assert BY_TOKEN[token].purpose.categories == ()


def test_every_purpose_is_used() -> None:
    assert {crawler.purpose for crawler in CRAWLERS} == set(Purpose)


def test_every_fact_has_a_source_that_was_read_before_the_table_was_made() -> None:
    for crawler in CRAWLERS:
        assert re.fullmatch(r"https://[^\s]+", crawler.source), crawler
        assert date(2026, 1, 1) <= crawler.checked <= date(2026, 11, 23), crawler
        assert all(url.startswith("https://") for url in crawler.ranges), crawler
        assert not any(suffix.startswith(".") for suffix in crawler.rdns), crawler
        assert crawler.obeys_robots_txt in {"yes", "no", "partly", "undocumented"}, crawler


def test_a_token_can_stand_in_a_robots_txt_as_it_is() -> None:
    for crawler in CRAWLERS:
        assert product_token(crawler.product_token) == crawler.product_token
        assert crawler.product_token.isprintable()
        assert not set(crawler.product_token) & set("#:/*")


def test_no_token_is_cut_to_another_operators_token() -> None:
    """Parsers in Google's style read AI2Bot as AI (RFC 9309 §2.2.1: letters, "_" and "-")."""
    whole = {c.product_token.lower(): c for c in CRAWLERS}
    for crawler in CRAWLERS:
        other = whole.get(truncated(crawler.product_token).lower(), crawler)
        assert other.operator == crawler.operator, (crawler, other)


def test_no_blocked_token_is_part_of_one_that_is_never_blocked() -> None:
    """Parsers that look for a name anywhere would block both."""
    for blocked in BLOCKING:
        for crawler in NEVER_BLOCKED:
            assert blocked.product_token.lower() not in crawler.product_token.lower()


@pytest.mark.parametrize("name", ["Code", "Spider", "Operator", "OpenAI", "Cursor", "LCC", "Trae"])
def test_dangerous_common_words_are_left_out_with_the_reason(name: str) -> None:
    assert crawler_named(name) is None
    assert "common" in LEFT_OUT[name]


def test_nothing_is_both_in_the_table_and_left_out() -> None:
    assert not [name for name in LEFT_OUT if crawler_named(name)]


def test_a_crawler_is_found_by_its_token_in_any_case() -> None:
    assert crawler_named("gptbot") is BY_TOKEN["GPTBot"]
    assert crawler_named("GPT") is None


@pytest.mark.parametrize(
    ("token", "hours"), [("GPTBot", 24), ("DuckAssistBot", 72), ("YouBot", 0.5), ("CCBot", None)]
)
def test_the_documented_time_that_a_robots_txt_is_kept_is_told(token: str, hours: float | None) -> None:
    assert BY_TOKEN[token].robots_cache_hours == hours
