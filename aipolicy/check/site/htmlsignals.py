"""The meta tags and licence links of a page, as a reader of HTML finds them.

A page is a stranger's: 512 KiB of it are read, and reading ends where the parser is led to hoard.
"""

import codecs
import re
from dataclasses import dataclass
from html.parser import HTMLParser

MOST_OCTETS = 512 * 1024
_PIECE = 8192  # characters
_HOARDED = 64 * 1024  # characters of one unfinished tag
_MOST_TAGS = 200
_LONGEST = 4096  # characters of one attribute's value
# Python knows codecs that are none of the web's, and slow: punycode, idna.
_CHARSET = re.compile(
    r"(utf-?(8|16)|us-ascii|latin1|iso-?8859|windows|cp125|koi8|gb|big5|shift_jis|euc)[\w-]{0,12}"
)
_NOT_MARKUP = frozenset({"template", "textarea", "title"})


@dataclass(frozen=True, slots=True)
class Tag:
    """A ``meta`` (``name``, ``content``) or a ``link`` (its ``rel``, ``href`` and ``type``), and its line."""

    kind: str
    name: str
    content: str
    line: int
    type: str = ""

    def __str__(self) -> str:
        if self.kind == "meta":
            return f'<meta name="{self.name}" content="{self.content}">'
        return f'<link rel="{self.name}" type="{self.type}" href="{self.content}">'


@dataclass(frozen=True, slots=True)
class Markup:
    """What was found. ``whole``: the page was read to its end."""

    tags: tuple[Tag, ...] = ()
    whole: bool = True

    def metas(self, name: str) -> list[Tag]:
        """The meta tags of that name, in any case, in order."""
        return [tag for tag in self.tags if tag.kind == "meta" and tag.name == name.lower()]


def read_html(body: bytes, content_type: str = "") -> Markup:
    """Read a page in the character set that ``content_type`` names, else UTF-8. Never raises."""
    text = body[:MOST_OCTETS].decode(_charset(content_type, body), "replace")
    parser = _Parser()
    for start in range(0, len(text), _PIECE):
        parser.feed(text[start : start + _PIECE])
        if len(parser.rawdata) > _HOARDED or len(parser.found) >= _MOST_TAGS:
            return Markup(tuple(parser.found[:_MOST_TAGS]), whole=False)
    return Markup(tuple(parser.found), whole=len(body) <= MOST_OCTETS)


def _charset(content_type: str, body: bytes) -> str:
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if body.startswith(mark):
            return name
    name = content_type.lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
    try:
        return codecs.lookup(name).name if _CHARSET.fullmatch(name) else "utf-8"
    except LookupError:
        return "utf-8"


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[Tag] = []
        self._inert = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_MARKUP:
            self._inert += 1
        elif not self._inert and tag in ("meta", "link"):
            self._keep(tag, {name: (value or "").strip()[:_LONGEST] for name, value in reversed(attrs)})

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _NOT_MARKUP:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _NOT_MARKUP:
            self._inert = max(0, self._inert - 1)

    def _keep(self, kind: str, of: dict[str, str]) -> None:
        line, _ = self.getpos()
        if kind == "meta" and of.get("name"):
            self.found.append(Tag("meta", of["name"].lower(), of.get("content", ""), line))
        elif kind == "link" and "license" in of.get("rel", "").lower().split():
            self.found.append(Tag("link", "license", of.get("href", ""), line, of.get("type", "").lower()))
