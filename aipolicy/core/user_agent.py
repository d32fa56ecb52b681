"""The crawlers that a User-Agent declares: a claim, which is not verified here.

A product token counts as a product of RFC 9110 §10.1.5 or as an element of a comment, never inside a URL, an
e-mail address or a phrase.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from aipolicy.core.crawlers import Crawler, CrawlerTable, from_table

MAX_USER_AGENT = 1024
"""Maximum characters that are searched; no crawler has its name after them."""

SITE_AUDIT = "sent by aipolicy/"
"""Part of the User-Agent with which ``aipolicy check site`` tries what a crawler gets."""

_URL = re.compile(r"\+?(?:https?://|www\.)(?:[^ \t();,]|[;,](?=[^ \t]))*")  # it may contain delimiters
_DELIMITER = re.compile(r"[;,()]")
_WORDS = re.compile(r"[^ \t]+")  # RFC 9110 §5.6.3: other white space is part of a word
_VERSION = re.compile(r"v?\d[\w.]*")
# Products that browsers send without a version, before others: "Mobile Safari/537.36 GPTBot/1.2". Any other
# word without a version begins a phrase: "not GPTBot/1.2".
_BROWSER_WORDS = frozenset(
    {"mobile", "tablet", "desktop", "tv", "vr", "phone", "version", "safari", "chrome", "chromium", "firefox"}
    | {"gecko", "applewebkit", "webkit", "opera", "edge", "headless", "touch"}
)


class _Names(NamedTuple):
    """The product tokens of the table, in lower case.

    Attributes:
        crawlers: The crawlers by product token.
        several: The words of tokens of more than one word, the longest first.
        first: The first words of those.
        namesakes: Parts of the User-Agents of other clients, by the product token that these use.
    """

    crawlers: dict[str, Crawler]
    several: tuple[list[str], ...]
    first: frozenset[str]
    namesakes: dict[str, tuple[str, ...]]


@from_table
def _names(table: CrawlerTable) -> _Names:
    several = sorted((name.split(" ") for name in table.by_token if " " in name), key=len, reverse=True)
    namesakes = {c.product_token: tuple(map(str.lower, c.namesakes)) for c in table.crawlers if c.namesakes}
    first = frozenset(words[0] for words in several)
    return _Names(dict(table.by_token), tuple(several), first, namesakes)


def declared_crawlers(user_agent: str) -> tuple[Crawler, ...]:
    """Return the crawlers that ``user_agent``, the complete header, declares: mostly one or none.

    ``How does GPTBot work? - curl/8.0`` declares none, and ``Claude-SearchBot/1.0`` isn't ClaudeBot. Clients
    that are known to use a crawler's name are not that crawler: iMessage sends ``facebookexternalhit``.
    """
    names = _names()
    lowered = user_agent[:MAX_USER_AGENT].lower()
    text = _URL.sub(";", lowered)
    found = (c for element in _DELIMITER.split(text) for c in _declared_in(_WORDS.findall(element), names))
    return tuple(crawler for crawler in dict.fromkeys(found) if not _is_namesake(crawler, lowered, names))


def is_known_namesake(user_agent: str) -> bool:
    """Return True if another client is known to send this crawler name, as iMessage does."""
    names, lowered = _names(), user_agent[:MAX_USER_AGENT].lower()
    return any(part in lowered for parts in names.namesakes.values() for part in parts)


def is_site_audit(user_agent: str) -> bool:
    """Return True if a User-Agent says that ``aipolicy check site`` sent it in a crawler's name.

    Anyone can send that, like every User-Agent.
    """
    return SITE_AUDIT in user_agent[:MAX_USER_AGENT]


def _is_namesake(crawler: Crawler, user_agent: str, names: _Names) -> bool:
    return any(part in user_agent for part in names.namesakes.get(crawler.product_token, ()))


def _declared_in(words: list[str], names: _Names) -> Iterator[Crawler]:
    """Yield the crawlers of one element: a product comes first, or after one with a version."""
    if words[:1] == ["compatible"]:
        words = words[1:]
    while words:
        name = words[:1]
        if words[0] in names.first:
            name = next((several for several in names.several if _begins(words, several)), name)
        *first, last = words[: len(name)]
        last, slash, version = last.partition("/")
        words = words[len(name) :]
        # Without a version it must be the only word: "GPTBot is great" merely mentions it.
        if (slash and version) or not words or (len(words) == 1 and _VERSION.fullmatch(words[0])):
            crawler = names.crawlers.get(" ".join([*first, last]))
            if crawler is not None:
                yield crawler
        if not slash and last not in _BROWSER_WORDS:
            return


def _begins(words: list[str], names: list[str]) -> bool:
    *first, last = words[: len(names)]
    return [*first, last.partition("/")[0]] == names
