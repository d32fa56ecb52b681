"""Product tokens as people write them in User-agent lines: aliases, misspellings, retired names."""

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from aipolicy.core.crawlers import LEFT_OUT, Crawler, CrawlerTable, crawler_named, crawler_table, from_table

_OPENAI = ("GPTBot", "OAI-SearchBot", "ChatGPT-User")
_ANTHROPIC = ("ClaudeBot", "Claude-SearchBot", "Claude-User")
_GOOGLE = ("Google-Extended",)
_META = ("meta-externalagent",)
_MISTRAL = ("MistralAI-Training", "MistralAI-Index", "MistralAI-User")

ALIASES = MappingProxyType(
    dict.fromkeys(("chatgpt", "openai", "gpt", "gpt-4", "gpt-5", "chatgptbot", "openaibot"), _OPENAI)
    | dict.fromkeys(("claude", "anthropic", "anthropicbot"), _ANTHROPIC)
    | dict.fromkeys(("gemini", "bard", "google-ai", "googleai", "google-bard", "google-gemini"), _GOOGLE)
    | dict.fromkeys(("llama", "meta-ai", "metaai", "facebookai"), _META)
    | dict.fromkeys(("mistral", "mistralai", "mistralbot"), _MISTRAL)
    | dict.fromkeys(("perplexity", "perplexityai", "perplexity-ai"), ("PerplexityBot", "Perplexity-User"))
    | dict.fromkeys(("copilot", "bingchat", "bing"), ("bingbot",))
    | dict.fromkeys(("commoncrawl", "common-crawl", "common crawl"), ("CCBot",))
    | dict.fromkeys(("bytedance", "tiktok", "tiktokbot"), ("Bytespider", "TikTokSpider"))
    | dict.fromkeys(("ai", "aibot", "ai-bot", "ai-bots", "aibots", "llm", "llms", "genai"), ())
)
"""Names that no crawler uses, in lower case → the intended product tokens."""

STAND_INS = MappingProxyType(
    dict.fromkeys(("googlebot-image", "googlebot-news", "googlebot-video", "applebot"), "Googlebot")
)
"""Product token in lower case → the crawler whose group it uses if it has none (by its operator)."""

# Crawlers without a relation to AI, so not in the table, with a name similar to one in the table.
_NO_MISSPELLINGS = frozenset(
    {"facebot", "exabot", "semrushbot", "duckduckgo-favicons-bot", "googlebot-mobile", "yandeximages"}
)
_LIKENESS, _LIKENESS_OF_UNDOCUMENTED = 0.87, 0.93
_SHORTEST = 5  # shorter names resemble each other by chance
_LEFT_OUT = MappingProxyType({name.lower(): reason for name, reason in LEFT_OUT.items()})
_HEADER = re.compile(r"mozilla/|\(|compatible;|https?://", re.IGNORECASE)


def is_header(value: str) -> bool:
    """Return True if ``value`` is a User-Agent header, or part of one, instead of a product token."""
    return bool(_HEADER.search(value)) and not crawler_named(value)


@from_table
def _alike(table: CrawlerTable) -> Mapping[str, list[str]]:
    """Return the names of the table by their first two letters."""
    alike: dict[str, list[str]] = {}
    for name in table.by_token:
        alike.setdefault(name[:2], []).append(name)
    return alike


def guess_crawler(token: str) -> Crawler | None:
    """Return the crawler whose name ``token`` probably misspells, or None."""
    name = token.lower()
    if len(name) < _SHORTEST or len(name) > 60 or name in _NO_MISSPELLINGS or crawler_named(name):
        return None
    near = difflib.get_close_matches(name, _alike().get(name[:2], ()), n=1, cutoff=_LIKENESS)
    if not near:
        return None
    crawler = crawler_table().by_token[near[0]]
    # A crawler without documentation is seldom the intended one.
    likely = crawler.obeys_robots_txt != "undocumented" or _ratio(name, near[0]) >= _LIKENESS_OF_UNDOCUMENTED
    return crawler if likely else None


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def left_out(token: str) -> str:
    """Return the reason why the crawler table leaves that name out, or ""."""
    reason: str = "" if crawler_named(token) else _LEFT_OUT.get(token.lower(), "")
    return reason


def mentioned(text: str) -> tuple[Crawler, ...]:
    """Return the crawlers that ``text`` mentions as whole words; of names within names, the longest."""
    words = (crawler_named(word) for word in re.findall(r"[\w-]+", text))
    return tuple(dict.fromkeys(crawler for crawler in words if crawler))


def successors(crawler: Crawler) -> tuple[Crawler, ...] | None:
    """Return the successors of a retired crawler; None if it isn't retired."""
    if crawler.superseded_by is None:
        return None
    return tuple(found for token in crawler.superseded_by if (found := crawler_named(token)))
