"""The crawler table: complete, careful, and each fact with its source."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from aipolicy.core.crawlers import (
    CRAWLERS,
    LEFT_OUT,
    PACKAGED,
    Crawler,
    EvidenceClass,
    Purpose,
    Scope,
    crawler_named,
)
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category
from aipolicy.robotstxt.parser import product_token, truncated
from aipolicy.robotstxt.policy_effects import effects_of

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
    "LAIONDownloader",
    "meta-externalagent",
    "MistralAI-Training",
    "omgili",
    "omgilibot",
    "PanguBot",
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
    assert BY_TOKEN[token].evidence_class is EvidenceClass.DOCUMENTED


# What their operators or others describe as something else, or one list alone as training.
@pytest.mark.parametrize(
    "token",
    [
        *(
            "EchoboxBot",
            "ISSCyberRiskCrawler",
            "Linguee Bot",
            "Awario",
            "AwarioRssBot",
            "AwarioSmartBot",
            "YaK",
        ),
        *(
            "netEstate Imprint Crawler",
            "Spawning-AI",
            "ImagesiftBot",
            "Timpibot",
            "aiHitBot",
            "FirecrawlAgent",
        ),
    ],
)
def test_what_is_not_known_to_collect_for_training_is_only_listed(token: str) -> None:
    assert BY_TOKEN[token].listed


# ai.robots.txt takes over what knownagents.com has, and ai-crawler-index cites it: they are one source.
PUBLISHERS = {
    "github.com/ai-robots-txt/": "lists",
    "pypi.org/project/ai-crawler-index/": "lists",
    "github.com/matomo-org/": "matomo",
    "github.com/monperrus/": "crawler-user-agents",
    "developers.cloudflare.com/": "cloudflare",
    "github.com/Automattic/": "automattic",
    "squareranked.com/": "squarespace",
}


def says_so(crawler: Crawler, says: str) -> bool:
    if crawler.purpose in (Purpose.TRAINING, Purpose.DATASET, Purpose.CONTROL):
        return says in ("training", "dataset") or (says == "control" and crawler.purpose is Purpose.CONTROL)
    return says == crawler.purpose


@pytest.mark.parametrize("crawler", CRAWLERS, ids=lambda crawler: crawler.product_token)
def test_documented_is_what_the_operator_says_or_two_independent_sources(crawler: Crawler) -> None:
    operators = [each for each in crawler.evidence if each.source == "operator" and each.says != "unclear"]
    if operators:
        assert crawler.listed is not any(says_so(crawler, each.says) for each in operators)
        return
    said: dict[str, set[str]] = {}
    for each in crawler.evidence:
        (publisher,) = {name for url, name in PUBLISHERS.items() if url in each.url} or {"the operator"}
        said.setdefault(publisher, set()).add(each.says)
    stated = {name: says - {"ai", "unclear"} for name, says in said.items()}
    for_it = {name for name, says in stated.items() if says and all(says_so(crawler, one) for one in says)}
    against = {name for name, says in stated.items() if says} - for_it
    vaguely = {name for name, says in said.items() if says == {"ai"} and name != "lists"}
    documented = bool(for_it) and len(for_it | vaguely) >= 2 and len(for_it | vaguely) > len(against)
    assert crawler.listed is not documented, (for_it, vaguely, against)


def test_each_entry_has_its_evidence_with_the_day() -> None:
    for crawler in CRAWLERS:
        assert crawler.evidence, crawler
        for each in crawler.evidence:
            assert each.url.startswith("https://"), crawler
            assert date(2026, 4, 1) <= each.date <= PACKAGED.compiled, crawler
            assert each.source in {"operator", "platform", "list"}, crawler


def test_the_packaged_table_is_valid_as_others_have_to_be() -> None:
    document = {"crawlers": [crawler.to_dict() for crawler in CRAWLERS]}
    read = PACKAGED.with_entries(json.loads(json.dumps(document)))
    assert (read.crawlers, read.added, read.corrected) == (PACKAGED.crawlers, (), ())


@pytest.mark.parametrize(
    "token",
    ["ChatGPT-User", "meta-externalfetcher", "Perplexity-User", "Google-Agent", "Kimi-User", "Amzn-User"],
)
def test_who_fetches_for_a_user_and_may_not_be_bound_is_exempt(token: str) -> None:
    assert BY_TOKEN[token].exempt


@pytest.mark.parametrize(
    "token", ["Claude-User", "MistralAI-User", "DuckAssistBot", "GPTBot", "facebookexternalhit"]
)
def test_a_crawler_that_obeys_or_fetches_for_no_user_is_not_exempt(token: str) -> None:
    assert not BY_TOKEN[token].exempt


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
        assert crawler.checked is not None
        assert date(2026, 1, 1) <= crawler.checked <= PACKAGED.compiled, crawler
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
def test_the_documented_cache_time_of_a_robots_txt_is_in_the_table(token: str, hours: float | None) -> None:
    assert BY_TOKEN[token].robots_cache_hours == hours


@pytest.mark.parametrize("scope", Scope)
def test_the_documentation_has_the_numbers_of_names(scope: Scope) -> None:
    page = (Path(__file__).parents[2] / "docs" / "crawlers.md").read_text()
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{scope}`"))
    names = [len(effects_of(SitePolicy.from_preset(p, scope=scope))[0]) for p in ("no-training", "no-ai")]
    assert row.split("|")[2:4] == [f" {number} " for number in names]


def test_what_cloudflare_and_jetpack_block_by_default_is_named_by_default() -> None:
    theirs = {
        "Amazonbot",
        "Applebot-Extended",
        "Bytespider",
        "CCBot",
        "ClaudeBot",
        "Google-Extended",
        "GPTBot",
    }
    named = effects_of(SitePolicy.from_preset("no-training"))[0]
    assert theirs | {"meta-externalagent"} < set(named)
    assert len(named) == 33
