"""Crawlers that the crawler table doesn't know, by what their User-Agent says of itself.

Only names count that stand where a product does (RFC 9110 §10.1.5), or that are an element of a comment
like ``(compatible; NewBot/1.0; +https://...)``. What browsers say of themselves is no crawler's.
"""

import re
from collections.abc import Iterator

from aipolicy.core.user_agent import LONGEST_USER_AGENT

LINES = r"bot(?:[^a-z]|$)|crawl|spider|slurp|scrap|\+https?:"
"""A regular expression (in any case) that matches every line with a self-declared crawler."""

_LONGEST = 64  # characters of a name
_URL = re.compile(r"\+?(?:https?://|www\.)(?:[^\s();,]|[;,](?=\S))*", re.IGNORECASE)
_LINK = re.compile(r"\+https?:|\( https?:", re.IGNORECASE)  # IIS writes a space for "+"
_PARTS = re.compile(r"\(([^()]*)\)|([^()]+)")
_VERSION = r"v?\d[\w.+-]*"
_PRODUCT = re.compile(r"((?:[^\s/;,]+ ){0,2})([^\s/;,]+)/\S+")
_NAME = re.compile(r"[A-Za-z][\w.-]*(?: [A-Za-z][\w.-]*){0,2}", re.ASCII)
_TAIL = re.compile(rf"(?:/\S+| {_VERSION})\Z", re.IGNORECASE)
_CRAWLS = re.compile(r"bot(?![a-z])|crawl|spider|slurp|scrap", re.IGNORECASE)
# Browsers, and what they say of the system they run on: a person's, or nobody's name.
_BROWSERS = (
    "mozilla compatible applewebkit webkit khtml like gecko safari version mobile chrome headlesschrome "
    "chromium firefox edg edge edga edgios opr opera opt msie trident crios fxios samsungbrowser ucbrowser "
    "yabrowser vivaldi presto x11 linux x86_64 i686 aarch64 arm64 ubuntu fedora debian windows nt win64 "
    "wow64 x64 rv macintosh intel mac os x iphone ipad ipod cpu android build wv u en en-us de netscape "
    "seamonkey dalvik cfnetwork darwin"
)
_NEVER = frozenset(_BROWSERS.split())
_PHONES = re.compile(r"cubot", re.IGNORECASE)  # a maker of phones


def product_names(user_agent: str) -> tuple[str, ...]:
    """Return the names of products that a User-Agent declares, in order; none of a browser's."""
    return tuple(dict.fromkeys(name for name, _ in _named(user_agent)))


def self_declared(user_agent: str) -> str | None:
    """Return the name under which a User-Agent introduces a crawler, or None.

    It is called a bot, a crawler or a spider, or gives an address to read about it.
    """
    has_link = _LINK.search(user_agent[:LONGEST_USER_AGENT]) is not None
    found = list(_named(user_agent))
    for name, _ in found:
        if _CRAWLS.search(name):
            return name
    return next((name for name, beside_link in found if beside_link), None) if has_link else None


def _named(user_agent: str) -> Iterator[tuple[str, bool]]:
    """Each name, and whether it stands in a part that an address to read about it stands in, or before it."""
    text = user_agent[:LONGEST_USER_AGENT]
    links = [match.start() for match in _URL.finditer(text)]
    plain = _URL.sub(lambda match: ";" * len(match[0]), text)
    for part in _PARTS.finditer(plain):
        comment = part[1] is not None
        names = _in_comment(part[1], part[0] in text) if comment else _outside(part[2])
        near = any(part.start() <= link <= part.end() + 2 for link in links)
        for name in names:
            if _is_name(name):
                yield name[:_LONGEST], near


def _outside(text: str) -> Iterator[str]:
    for piece in text.split(";"):
        piece = piece.strip(" ,")
        found = False
        for product in _PRODUCT.finditer(piece):
            found = True
            if product[1]:
                yield f"{product[1]}{product[2]}"
            yield product[2]
        if not found and piece:
            yield piece


def _in_comment(text: str, without_link: bool) -> Iterator[str]:
    elements = [element.strip() for element in re.split("[;,]", text)]
    introduces = not without_link or elements[:1] == ["compatible"]
    for element in elements:
        words = element.removeprefix("compatible ")
        name = _TAIL.sub("", words)
        if name != words and "/" in words:
            yield name
            yield name.rpartition(" ")[2]
        elif introduces:
            yield name


def _is_name(name: str) -> bool:
    if len(name) < 2 or not _NAME.fullmatch(name) or _PHONES.match(name):
        return False
    return not any(word in _NEVER for word in name.lower().split(" "))
