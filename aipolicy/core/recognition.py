"""Which crawlers a User-Agent declares. It is a claim: nothing here verifies it.

A product token counts where RFC 9110 §10.1.5 has a product, or where it is an element of a comment; never
inside a URL, an e-mail address or a phrase.
"""

import re
from collections.abc import Iterator

from aipolicy.core.crawlers import CRAWLERS, Crawler, crawler_named

LONGEST_USER_AGENT = 1024
"""Characters that are looked at: no crawler introduces itself behind them."""

_URL = re.compile(r"\+?(?:https?://|www\.)(?:[^ \t();,]|[;,](?=[^ \t]))*")  # it may hold delimiters
_DELIMITER = re.compile(r"[;,()]")
_WORDS = re.compile(r"[^ \t]+")  # RFC 9110 §5.6.3: other white space is part of a word
_VERSION = re.compile(r"v?\d[\w.]*")
_SEVERAL_WORDS = tuple(c.product_token.lower().split(" ") for c in CRAWLERS if " " in c.product_token)
_FIRST_WORDS = frozenset(words[0] for words in _SEVERAL_WORDS)


def declared_crawlers(user_agent: str) -> tuple[Crawler, ...]:
    """The crawlers of the table that ``user_agent``, the whole header, declares; mostly none or one.

    ``How does GPTBot work? - curl/8.0`` declares none, and ``Claude-SearchBot/1.0`` isn't ClaudeBot.
    """
    text = _URL.sub(";", user_agent[:LONGEST_USER_AGENT].lower())
    found = (
        crawler for element in _DELIMITER.split(text) for crawler in _declared_in(_WORDS.findall(element))
    )
    return tuple(dict.fromkeys(found))


def _declared_in(words: list[str]) -> Iterator[Crawler]:
    """The products of one element: a product stands first, or behind one with a version."""
    if words[:1] == ["compatible"]:
        words = words[1:]
    while words:
        names = words[:1]
        if words[0] in _FIRST_WORDS:
            names = next((several for several in _SEVERAL_WORDS if _begins(words, several)), names)
        *first, last = words[: len(names)]
        last, slash, version = last.partition("/")
        words = words[len(names) :]
        # Without a version it must be all that there is: "GPTBot is great" only speaks of it.
        if (slash and version) or not words or (len(words) == 1 and _VERSION.fullmatch(words[0])):
            crawler = crawler_named(" ".join([*first, last]))
            if crawler is not None:
                yield crawler
        if not slash:
            return


def _begins(words: list[str], names: list[str]) -> bool:
    *first, last = words[: len(names)]
    return [*first, last.partition("/")[0]] == names
