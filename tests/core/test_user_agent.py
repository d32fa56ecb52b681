"""The crawlers that a User-Agent declares."""

import crawleruseragents
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.crawlers import CRAWLERS, Purpose
from aipolicy.core.user_agent import MAX_USER_AGENT, declared_crawlers, is_site_audit
from aipolicy.siteaudit.collector import _CRAWLER
from aipolicy.web.fetcher import USER_AGENT

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)


MOBILE = "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36"
MESSAGES = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) "
    "Version/9.0.1 Safari/601.2.4"
)


def declared(user_agent: str) -> list[str]:
    return [crawler.product_token for crawler in declared_crawlers(user_agent)]


def test_an_audit_of_a_site_is_recognised_by_its_user_agent() -> None:
    sent = _CRAWLER.format(token="GPTBot", user_agent=USER_AGENT)
    assert is_site_audit(sent)
    assert [crawler.product_token for crawler in declared_crawlers(sent)] == ["GPTBot"]
    assert not is_site_audit(USER_AGENT)


@pytest.mark.parametrize(
    ("user_agent", "tokens"),
    [
        ("GPTBot", ["GPTBot"]),
        ("gptbot/1.2", ["GPTBot"]),
        ("CCBot/2.0 (https://commoncrawl.org/faq/)", ["CCBot"]),
        ("CCBot (https://commoncrawl.org/faq/)", ["CCBot"]),
        (f"{CHROME}; compatible; GPTBot/1.1; +https://openai.com/gptbot", ["GPTBot"]),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", ["ClaudeBot"]),
        ("Mozilla/5.0 AppleWebKit/537.36 Mobile Safari/537.36; Bytespider", ["Bytespider"]),
        ("Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)", ["Bytespider"]),
        ("Mozilla/5.0 (compatible; Kangaroo Bot/1.0; +http://www.kangaroo.example)", ["Kangaroo Bot"]),
        ("Gecko/20100101 Firefox/72.0 (compatible; img2dataset; +https://example.com/)", ["img2dataset"]),
        ("Brightbot 1.0", ["Brightbot"]),
        ("facebookexternalhit/1.1 Facebot Twitterbot/1.0", ["facebookexternalhit"]),
        ("facebookexternalhit/1.1 GPTBot/1.0", ["facebookexternalhit", "GPTBot"]),
        (f"{MOBILE} Bytespider;https://zhanzhang.toutiao.com/", ["Bytespider"]),
        (f"{MOBILE} GPTBot/1.2", ["GPTBot"]),
        (f"{MOBILE} (compatible) GPTBot/1.2", ["GPTBot"]),
        ("Mozilla/5.0 (Android) Gecko/1.0 Tablet Safari/537.36 ClaudeBot/1.0 (x)", ["ClaudeBot"]),
        ("Mozilla/5.0 (Linux) Mobile VR Safari/537.36 CCBot/2.0", ["CCBot"]),
        ("ExaBot/1.0", ["ExaBot"]),
        ("Mozilla/5.0 (compatible; ExaBot/1.0; +https://exa.ai)", ["ExaBot"]),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/x)", ["facebookexternalhit"]),
    ],
)  # fmt: skip
def test_a_product_or_an_element_of_a_comment_is_a_declaration(user_agent: str, tokens: list[str]) -> None:
    assert declared(user_agent) == tokens


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        CHROME,
        "curl/8.0",
        "How does GPTBot work? - curl/8.0",
        "curl/8.0 (GPTBot is blocked here)",
        "curl/8.0 (not GPTBot)",
        "Mozilla/5.0 (compatible; GPTBotX/1.0)",
        "Mozilla/5.0 (compatible; my-GPTBot/1.0)",
        "Mozilla/5.0 (compatible; GPTBot-Inspector)",
        "Feed/1.0 (+https://openai.com/gptbot)",
        "Feed/1.0 (+https://example.com/a;GPTBot/1.0)",
        "Feed/1.0 (https://GPTBot/1.0)",
        "Feed/1.0 (gptbot@openai.com; +claudebot@anthropic.com)",
        "Mozilla/5.0 (treat like Googlebot)",
        "not GPTBot/1.2",
        "curl/8.0 (not GPTBot/1.2)",
        "Mozilla/5.0 (compatible; like GPTBot/1.2)",
        "Mobile GPTBot is blocked",
    ],
)
def test_a_phrase_a_longer_word_an_address_or_a_url_is_not_a_declaration(user_agent: str) -> None:
    assert declared(user_agent) == []


@pytest.mark.parametrize(
    "user_agent",
    [
        f"{MESSAGES} facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        f"{MESSAGES} facebookexternalhit/1.1 Facebot",
        f"{MESSAGES} facebookexternalhit/1.1 Twitterbot/1.0",
        "facebookexternalhit/1.1;line-poker/1.0",
        "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
        "facebookexternalhit/1.1 (compatible; Blueno/1.0; +http://naver.me/scrap)",
        "MeWeBot/1.0 (compatible; Mozilla/5.0; Googlebot/2.1; facebookexternalhit/1.1; +https://mewe.com/x)",
        "Exabot/3.0 (+http://www.exabot.com/go/robot)",
        "Mozilla/5.0 (compatible; Exabot/3.0 (BiggerBetter); +http://www.exabot.com/go/robot)",
        "Exabot/2.0",
    ],
)
def test_who_only_uses_the_name_of_a_crawler_is_not_that_crawler(user_agent: str) -> None:
    """iMessage, LINE, KakaoTalk, Naver and MeWe send Meta's name; Exalead's crawler has that of Exa AI's."""
    assert declared(user_agent) == []


def test_a_token_within_another_is_not_taken_for_it() -> None:
    for crawler in CRAWLERS:
        assert declared(f"Mozilla/5.0 (compatible; {crawler.product_token}/1.0; +https://x.example/)") == [
            crawler.product_token
        ]


def test_previewers_and_search_engines_are_distinguished_from_ai_crawlers() -> None:
    (previewer,), (engine,) = declared_crawlers("facebookexternalhit/1.1"), declared_crawlers("Googlebot/2.1")
    assert (previewer.purpose, engine.purpose) == (Purpose.PREVIEW, Purpose.SEARCH_ENGINE)


def test_the_user_agents_that_others_collected_are_recognised_as_the_crawlers_they_name() -> None:
    """The samples of crawler-user-agents: a crawler is found wherever its token stands as a word."""
    samples = [
        (entry["pattern"].replace("\\", "").removesuffix("/"), sample)
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        if "ai-crawler" in entry.get("tags", ())
        for sample in entry["instances"]
    ]
    known = {crawler.product_token.lower() for crawler in CRAWLERS}
    named = [(token, sample) for token, sample in samples if token.lower() in known]
    assert len(named) > 50
    missed = [
        (token, sample) for token, sample in named if token.lower() not in map(str.lower, declared(sample))
    ]
    # These send it as the first part of a longer word, like "crawl4ai-adapter".
    assert {token for token, _ in missed} == {"crawl4ai", "semantic-visions", "TSM-turingos"}


@given(st.text())
def test_any_header_is_read(user_agent: str) -> None:
    declared_crawlers(user_agent)


def test_only_the_beginning_of_a_long_header_is_looked_at() -> None:
    assert declared("x" * MAX_USER_AGENT + "; GPTBot/1.0") == []
