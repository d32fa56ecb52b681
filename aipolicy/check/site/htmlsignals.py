"""The meta tags and licence links of a page, as a reader of HTML finds them.

A page is a stranger's: 512 KiB of it are read, and of many tags the first.
"""

from dataclasses import dataclass

from aipolicy.errors import MissingExtraError

try:
    from turbohtml import Document, Element, HTMLParseError, parse, parse_xml
except ImportError:
    raise MissingExtraError("reading pages needs turbohtml: pip install 'aipolicy[check]'") from None

MOST_OCTETS = 512 * 1024
_MOST_TAGS = 200
_LONGEST = 4096  # characters of one attribute's value
# What stands in a template is no part of the page yet (HTML §4.12.3).
_TAGS = "meta:not(template *), link:not(template *)"


@dataclass(frozen=True, slots=True)
class Tag:
    """A ``meta`` (``name``, ``content``) or a ``link`` (its ``rel``, ``href`` and ``type``), and its line.

    ``line`` counts from 1; 0: it isn't known.
    """

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


def read_html(body: bytes, charset: str = "", *, xml: bool = False) -> Markup:
    """Read a page by the rules of HTML, without running its scripts. Never raises for what is in it.

    ``charset`` is what Content-Type names; else, or where that is none of the web's, the page itself says.
    ``xml``: it is sent as XHTML, and read so if it is well-formed.
    """
    document = _document(body[:MOST_OCTETS], charset, xml)
    found = [tag for element in document.select(_TAGS) if (tag := _tag(element))]
    whole = len(body) <= MOST_OCTETS and len(found) <= _MOST_TAGS
    return Markup(tuple(found[:_MOST_TAGS]), whole)


def _document(body: bytes, charset: str, xml: bool) -> Document:
    if xml:
        try:
            return parse_xml(body.decode("utf-8", "replace"))
        except HTMLParseError:
            pass  # as crawlers do that have one parser for both
    try:
        return parse(body, encoding=charset or None)
    except LookupError:
        return parse(body)


def _tag(element: Element) -> Tag | None:
    of = {
        name: (element.attr(name) or "").strip()[:_LONGEST]
        for name in ("name", "content", "rel", "href", "type")
    }
    line = element.source_line or 0
    if element.tag == "meta" and of["name"]:
        return Tag("meta", of["name"].lower(), of["content"], line)
    if element.tag == "link" and "license" in of["rel"].lower().split():
        return Tag("link", "license", of["href"], line, of["type"].lower())
    return None
