"""Detection of crawlers: a fast filter on lines, and the names that a User-Agent declares.

The filter runs in columns before lines are parsed, because most lines of most logs are not a crawler's. A
declared name counts only as a product (RFC 9110 §10.1.5), or as an element of a comment like ``(compatible;
NewBot/1.0; +https://...)``. Names of browsers are ignored.
"""

import io
import re
from collections.abc import Iterable, Iterator

import polars as pl

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.user_agent import MAX_USER_AGENT

_SPACE = r"(?:[ +]|%(?:25)?20)"  # as formats without spaces write it
_MOST_NAMES = 20_000
_ANY_LINE = "."
_SELF_DECLARED = r"bot(?:[^a-z]|$)|crawl|spider|slurp|scrap|\+https?:"

_LONGEST_NAME = 64  # characters
_URL = re.compile(r"\+?(?:https?://|www\.)(?:[^\s();,]|[;,](?=\S))*", re.IGNORECASE)
_LINK = re.compile(r"\+https?:|\( https?:", re.IGNORECASE)  # IIS writes a space for "+"
_PARTS = re.compile(r"\(([^()]*)\)|([^()]+)")
_VERSION = r"v?\d[\w.+-]*"
_PRODUCT = re.compile(r"((?:[^\s/;,]+ ){0,2})([^\s/;,]+)/\S+")
_NAME = re.compile(r"[A-Za-z][\w.-]*(?: [A-Za-z][\w.-]*){0,2}", re.ASCII)
_VERSION_SUFFIX = re.compile(rf"(?:/\S+| {_VERSION})\Z", re.IGNORECASE)
_CRAWLER_WORD = re.compile(r"bot(?![a-z])|crawl|spider|slurp|scrap", re.IGNORECASE)
# Names of browsers, and of the systems they run on.
_BROWSERS = (
    "mozilla compatible applewebkit webkit khtml like gecko safari version mobile chrome headlesschrome "
    "chromium firefox edg edge edga edgios opr opera opt msie trident crios fxios samsungbrowser ucbrowser "
    "yabrowser vivaldi presto x11 linux x86_64 i686 aarch64 arm64 ubuntu fedora debian windows nt win64 "
    "wow64 x64 rv macintosh intel mac os x iphone ipad ipod cpu android build wv u en en-us de netscape "
    "seamonkey dalvik cfnetwork darwin"
)
_BROWSER_WORDS = frozenset(_BROWSERS.split())
_PHONES = re.compile(r"cubot", re.IGNORECASE)  # a maker of phones


def token_pattern(names: Iterable[str] = ()) -> str:
    """Return a regular expression for lines that contain a crawler's token, in any case.

    The crawlers are those of the crawler table and ``names``.
    """
    tokens = dict.fromkeys([*(crawler.product_token for crawler in CRAWLERS), *names])
    if len(tokens) > _MOST_NAMES:
        return _ANY_LINE
    return "(?i)" + "|".join(_SPACE.join(map(re.escape, token.split(" "))) for token in tokens)


def line_pattern(names: Iterable[str] = ()) -> str:
    """Return ``token_pattern`` extended to lines of every self-declared crawler."""
    tokens = token_pattern(names)
    return tokens if tokens == _ANY_LINE else f"{tokens}|{_SELF_DECLARED}"


def lines_matching(text: pl.Series, pattern: str) -> pl.Series:
    """Return a Boolean for each line: True if it matches."""
    # One chunk: Polars compiles the pattern for each, which takes as long as matching two thousand lines.
    return text.rechunk().str.contains(pattern)


def crawler_lines(block: bytes, pattern: str) -> tuple[int, pl.DataFrame]:
    """Return the number of lines in a block of ``read_blocks``, and the lines that match ``pattern``.

    The columns are ``line`` (its number in the block, from 1) and ``text`` (Binary, without the line end).
    """
    try:
        lines = pl.read_lines(io.BytesIO(block), name="text")["text"]
        raw = lines
    except pl.exceptions.ComputeError:  # not all of it is UTF-8
        split = block.removesuffix(b"\n").split(b"\n")
        raw = pl.Series("text", [line.removesuffix(b"\r") for line in split], dtype=pl.Binary)
        lines = as_text(raw)
    matching = lines_matching(lines, pattern).arg_true()
    kept = pl.DataFrame([matching.cast(pl.Int64).alias("line"), raw.gather(matching).cast(pl.Binary)])
    return len(lines) - 1, kept  # the block begins with a line end


def as_text(raw: pl.Series) -> pl.Series:
    """Decode UTF-8, with replacement characters for invalid bytes."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(raw.name, [line.decode("utf-8", "replace") for line in raw], dtype=pl.String)


def product_names(user_agent: str) -> tuple[str, ...]:
    """Return the product names that a User-Agent declares, in order, without those of browsers."""
    return tuple(dict.fromkeys(name for name, _ in _declared_names(user_agent)))


def self_declared(user_agent: str) -> str | None:
    """Return the name of the crawler that a User-Agent declares itself to be, or None.

    Such a name contains "bot", "crawl" or "spider", or stands next to a URL with information about it.
    """
    has_link = _LINK.search(user_agent[:MAX_USER_AGENT]) is not None
    names = list(_declared_names(user_agent))
    for name, _ in names:
        if _CRAWLER_WORD.search(name):
            return name
    return next((name for name, near_link in names if near_link), None) if has_link else None


def _declared_names(user_agent: str) -> Iterator[tuple[str, bool]]:
    """Yield each name, and True if a URL is in the same part of the User-Agent or directly after it."""
    text = user_agent[:MAX_USER_AGENT]
    links = [match.start() for match in _URL.finditer(text)]
    plain = _URL.sub(lambda match: ";" * len(match[0]), text)
    for part in _PARTS.finditer(plain):
        comment = part[1] is not None
        names = _in_comment(part[1], part[0] in text) if comment else _outside_comments(part[2])
        near = any(part.start() <= link <= part.end() + 2 for link in links)
        for name in names:
            if _is_name(name):
                yield name[:_LONGEST_NAME], near


def _outside_comments(text: str) -> Iterator[str]:
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
        name = _VERSION_SUFFIX.sub("", words)
        if name != words and "/" in words:
            yield name
            yield name.rpartition(" ")[2]
        elif introduces:
            yield name


def _is_name(name: str) -> bool:
    if len(name) < 2 or not _NAME.fullmatch(name) or _PHONES.match(name):
        return False
    return not any(word in _BROWSER_WORDS for word in name.lower().split(" "))
