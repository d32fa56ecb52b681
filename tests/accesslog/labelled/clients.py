"""Clients: crawlers and others, with their User-Agents and addresses.

Two published lists are used: OpenAI's gptbot.json has 132.196.86.0/24 (only GPTBot), Anthropic's bots.json
216.73.216.0/22 (one list for three crawlers, so it identifies the operator but not the crawler). No list has
documentation addresses (RFC 5737, RFC 3849).
"""

import random
from dataclasses import dataclass

OWN_LIST = frozenset({"GPTBot"})
SHARED_LIST = frozenset({"ClaudeBot", "Claude-User", "Claude-SearchBot"})
# They have a list too, but no address of it is stated here: only clients outside it can be labelled.
OTHER_LISTS = frozenset(
    {"OAI-SearchBot", "ChatGPT-User", "PerplexityBot", "Perplexity-User", "MistralAI-Index"}
)
# They have a list and host names, or sign their requests. A log shows no signature, and no name server is
# asked here, so for an address in no list only one of two published checks was made: it is not a forgery.
TWO_CHECKS = frozenset({"DuckAssistBot", "CCBot", "Googlebot", "bingbot", "Google-Agent", "YouBot"})
NO_CHECK = frozenset(
    {
        "AI2Bot",
        "Bytespider",
        "Diffbot",
        "Google-NotebookLM",
        "Kangaroo Bot",
        "LAIONDownloader",
        "MistralAI-Training",
        "facebookexternalhit",
        "img2dataset",
        "meta-externalagent",
        "meta-externalfetcher",
    }
)
CRAWLERS = tuple(sorted(OWN_LIST | SHARED_LIST | OTHER_LISTS | TWO_CHECKS | NO_CHECK))

NAMED = "NewAICrawler"
"""A crawler that the table doesn't have, and some robots.txt name: judged where one of the site's does."""

EDGES = ("172.68", "162.158", "104.23")
"""Beginnings of addresses from which Cloudflare calls origins: never the client's own.

Its list has 172.64.0.0/13, 162.158.0.0/15 and 104.16.0.0/13.
"""

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
BROWSERS = (
    CHROME,
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "curl/8.0",
    "-",
)
"""User-Agents without any product token of the table, as a word or within one."""

PRETENDERS = (
    "How does GPTBot work? - curl/8.0",
    "curl/8.0 (not GPTBot)",
    "curl/8.0 (GPTBot is blocked here)",
    "Mozilla/5.0 (compatible; NotGPTBotx/1.0)",
    "Mozilla/5.0 (compatible; GPTBotX/1.0)",
    "Mozilla/5.0 (compatible; my-ClaudeBot/1.0)",
    "Mozilla/5.0 (compatible; GPTBot-Inspector)",
    "Mozilla/5.0 (compatible; ClaudeBot_clone/2.0)",
    "Mozilla/5.0 (treat like Googlebot)",
    "Feed/1.0 (+https://openai.com/gptbot)",
    "Feed/1.0 (+https://example.com/a;GPTBot/1.0)",
    "Feed/1.0 (https://GPTBot/1.0)",
    "Feed/1.0 (gptbot@openai.com; +claudebot@anthropic.com)",
    # Log injection: what would be a line of its own in a log that escapes nothing.
    'Mozilla/5.0" 200 5 "-" "GPTBot/1.2',
    '{"User-Agent":["GPTBot/1.2"]}',
    'Mozilla/5.0\n192.0.2.1 - - [01/Oct/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "GPTBot/1.2',
    "%47%50TBot %s%n%x",
    "Mozilla/5.0 (compatible; BrandNewAIBot/1.0; +https://new-ai.example/bot)",
)
"""Browsers and tools: a token within a word, a phrase, a URL or an address is nobody's name."""

UNKNOWN = {
    "Mozilla/5.0 (compatible; my-ClaudeBot/1.0)": "my-ClaudeBot",
    "Mozilla/5.0 (compatible; GPTBot-Inspector)": "GPTBot-Inspector",
    "Mozilla/5.0 (compatible; ClaudeBot_clone/2.0)": "ClaudeBot_clone",
    "Feed/1.0 (+https://openai.com/gptbot)": "Feed",
    "Feed/1.0 (+https://example.com/a;GPTBot/1.0)": "Feed",
    "Mozilla/5.0 (compatible; BrandNewAIBot/1.0; +https://new-ai.example/bot)": "BrandNewAIBot",
}
"""Those of the pretenders that call themselves a bot, or give an address to read about them."""

_SHAPES = (
    "Mozilla/5.0 (compatible; {token}/1.0; +https://crawler.example/about)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {token}/2.1; +https://crawler.example/)",
    "{token}/1.0 (+https://crawler.example/about)",
    "{token}/1.0",
    "{token}",
    "Mozilla/5.0 (compatible; {token}; feedback@crawler.example)",
    CHROME + "; compatible; {token}/1.1; +https://crawler.example/bot?a=ClaudeBot/1.0",
)
_OWN = {
    "GPTBot": (
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    ),
    "ClaudeBot": ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",),
    "AI2Bot": ("Mozilla/5.0 (compatible) AI2Bot (+https://www.allenai.org/crawler)",),
    "facebookexternalhit": ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",),
}


@dataclass(frozen=True, slots=True)
class Client:
    """``crawler`` and ``identity`` are the labels; both None for who is no crawler that is judged.

    ``unknown``: the name under which it introduces itself as a crawler that nobody knows. ``audit``: it is
    ``aipolicy check site``, which sends a crawler's name and its own.
    """

    user_agent: str
    address: str
    crawler: str | None = None
    identity: str | None = None
    unknown: str | None = None
    audit: bool = False


def crawler_client(token: str, rng: random.Random, *, inside: float = 0.6) -> Client:
    """Return a client that claims to be ``token``. ``inside``: how often its address is in a known list."""
    shape = rng.choice((*_OWN.get(token, ()), *_OWN.get(token, ()), *_SHAPES))
    spelled = rng.choice((token, token, token, token, token.lower(), token.upper()))
    user_agent = shape.replace("{token}", spelled)
    if rng.random() < 0.05:
        return _audit(token, rng)
    if token in OWN_LIST | SHARED_LIST and rng.random() < inside:
        if token in OWN_LIST:
            return Client(user_agent, _written(f"132.196.86.{rng.randint(11, 250)}", rng), token, "verified")
        address = f"216.73.{rng.randint(216, 219)}.{rng.randint(11, 250)}"
        return Client(user_agent, _written(address, rng), token, "operator_verified")
    if rng.random() < 0.15:
        edge = f"{rng.choice(EDGES)}.{rng.randint(0, 255)}.{rng.randint(11, 250)}"
        identity = "unverifiable" if token in NO_CHECK else "check_failed"
        return Client(user_agent, _written(edge, rng), token, identity)
    return Client(user_agent, _unlisted_address(token, rng), token, _with_unlisted_address(token))


def _audit(token: str, rng: random.Random) -> Client:
    """An audit of the site; or, with an address of the operator's, the crawler itself in its disguise."""
    user_agent = f"Mozilla/5.0 (compatible; {token}/1.0; sent by aipolicy/0.{rng.randint(1, 30)}.0)"
    if token in OWN_LIST and rng.random() < 0.5:
        return Client(user_agent, f"132.196.86.{rng.randint(11, 250)}", token, "verified")
    if token in SHARED_LIST and rng.random() < 0.5:
        return Client(user_agent, f"216.73.217.{rng.randint(11, 250)}", token, "operator_verified")
    edge = f"{rng.choice(EDGES)}.{rng.randint(0, 255)}.{rng.randint(11, 250)}"
    return Client(user_agent, rng.choice((_documentation(rng), edge)), audit=True)


def other_client(rng: random.Random) -> Client:
    user_agent = rng.choice(PRETENDERS if rng.random() < 0.3 else BROWSERS)
    address = rng.choice((_documentation(rng), "132.196.86.99", "216.73.217.99"))
    return Client(user_agent, address, unknown=UNKNOWN.get(user_agent))


def named_client(rng: random.Random, *, named: bool) -> Client:
    """Return a client that claims to be ``NAMED``, which the site's policy may name."""
    shape = rng.choice(_SHAPES[:4])
    address = rng.choice((_documentation(rng), "172.68.10.20"))
    user_agent = shape.replace("{token}", rng.choice((NAMED, NAMED, NAMED.lower())))
    if named:
        return Client(user_agent, address, NAMED, "unverifiable")
    return Client(user_agent, address, unknown=NAMED)


def _with_unlisted_address(token: str) -> str:
    return "unverifiable" if token in NO_CHECK | TWO_CHECKS else "spoofed"


def _unlisted_address(token: str, rng: random.Random) -> str:
    """Return an address outside the operator's lists, sometimes one of another operator."""
    if token in OWN_LIST and rng.random() < 0.2:
        return _written(f"216.73.{rng.randint(216, 219)}.{rng.randint(11, 250)}", rng)
    if token in SHARED_LIST and rng.random() < 0.2:
        return _written(f"132.196.86.{rng.randint(11, 250)}", rng)
    return _documentation(rng)


def _documentation(rng: random.Random) -> str:
    net = rng.choice(("192.0.2", "198.51.100", "203.0.113", "2001:db8:"))
    if net.endswith(":"):
        return f"{net}{rng.randint(16, 65535):x}::{rng.randint(16, 65535):x}"
    return _written(f"{net}.{rng.randint(11, 250)}", rng)


def _written(address: str, rng: random.Random) -> str:
    """Return an IPv4 address, sometimes in the IPv4-mapped form of dual-stack servers."""
    return f"::ffff:{address}" if rng.random() < 0.1 else address
