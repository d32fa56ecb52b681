"""The meta tags and licence links of a page, as a reader of HTML finds them.

A page is a stranger's: 512 KiB of it are read.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5

from aipolicy.errors import MissingExtraError

try:
    from turbohtml import Document, Element, HTMLParseError, parse, parse_xml
except ImportError:
    raise MissingExtraError("reading pages needs turbohtml: pip install 'aipolicy[check]'") from None

MOST_OCTETS = 512 * 1024
_BLANK = b"\xef\xbb\xbf \t\r\n\x0c"  # a byte order mark, and white space
# What HTML begins with, by MIME Sniffing §7.1.
_HTML = re.compile(
    rb"<(!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]|<!--", re.I
)
_BOMS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_BE, "utf-16-be"), (BOM_UTF16_LE, "utf-16-le"))
_DECLARED = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z][\w.-]*)", re.A)  # XML §2.8
_PREFIX = re.compile(r"""xmlns:([^\W\d][\w.-]*)\s*=\s*["']http://www\.w3\.org/1999/xhtml["']""")
_ENTITY = re.compile(r"&(\w+;)", re.A)
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})  # XML §4.6


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


@dataclass(frozen=True)
class Markup:
    """What was found. ``whole``: the page was read to its end, and as what it is sent as."""

    tags: tuple[Tag, ...] = ()
    whole: bool = True

    def metas(self, name: str) -> list[Tag]:
        """The meta tags of that name, in any case, in order."""
        return self._metas.get(name.lower(), [])

    def rules(self, name: str) -> dict[str, Tag]:
        """The rules that they list, in lower case and without spaces, each with the first tag that has it."""
        if name not in self._rules:
            found: dict[str, Tag] = {}
            for tag in self.metas(name):
                for rule in tag.content.lower().split(","):
                    found.setdefault(rule.replace(" ", ""), tag)
            self._rules[name] = found
        return self._rules[name]

    @cached_property
    def _rules(self) -> dict[str, dict[str, Tag]]:  # each crawler asks for those of all
        return {}

    @cached_property
    def _metas(self) -> dict[str, list[Tag]]:
        found = defaultdict(list)
        for tag in self.tags:
            if tag.kind == "meta":
                found[tag.name].append(tag)
        return dict(found)


def without_blank(body: bytes) -> bytes:
    """The octets without the byte order mark and the white space before them."""
    return body.lstrip(_BLANK)


def looks_like_html(body: bytes) -> bool:
    """Whether it begins as HTML does, whatever it is sent as."""
    return _HTML.match(without_blank(body[:512])) is not None


def read_html(body: bytes, charset: str = "", *, xml: bool = False) -> Markup:
    """Read a page by the rules of HTML, without running its scripts. Never raises for what is in it.

    ``charset`` is what Content-Type names; else, or where that is none of the web's, the page itself says.
    ``xml``: it is sent as XHTML, and read so if it is well-formed. If not it is read as HTML, as crawlers do
    that have one parser for both: what stands behind an empty ``script`` may be lost then.
    """
    read, whole = body[:MOST_OCTETS], len(body) <= MOST_OCTETS
    text = _decoded(read, charset) if xml else ""
    document = _xhtml(text) if xml else None
    if document is None:
        found, whole = _html(read, charset).select(_selector(())), whole and not xml
    else:
        found = document.select(_selector(dict.fromkeys(_PREFIX.findall(text))))
    return Markup(tuple(tag for element in found if (tag := _tag(element))), whole)


def _html(body: bytes, charset: str) -> Document:
    try:
        return parse(body, encoding=charset or None)
    except LookupError:
        return parse(body)


def _xhtml(text: str) -> Document | None:
    """None: it isn't well-formed."""
    # HTML's entities are declared by XHTML's DTDs, which nobody fetches.
    for read in (text, _ENTITY.sub(_numeric, text)):
        try:
            return parse_xml(read.lstrip())
        except HTMLParseError:
            continue
    return None


def _numeric(entity: re.Match[str]) -> str:
    name = entity[1]
    if name in _XML_ENTITIES:
        return entity[0]
    return "".join(f"&#{ord(character)};" for character in html5.get(name, "")) or entity[0]


def _decoded(body: bytes, charset: str) -> str:
    """XML as text: by its byte order mark, else Content-Type, else its own word (RFC 7303 §3)."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    declared = _DECLARED.match(body)
    for label in (charset, declared[1].decode("ascii") if declared else ""):
        try:
            # By the web's labels: others name codecs of Python that decode no text.
            return body.decode(parse(b"", encoding=label).encoding or "", "replace")
        except LookupError:
            continue
    return body.decode("utf-8", "replace")


def _selector(prefixes: Iterable[str]) -> str:
    # What stands in a template is no part of the page yet (HTML §4.12.3).
    names = ("", *(f"{re.escape(prefix)}\\:" for prefix in prefixes))
    return ", ".join(f"{name}{kind}:not({name}template *)" for name in names for kind in ("meta", "link"))


def _tag(element: Element) -> Tag | None:
    of = {name: (element.attr(name) or "").strip() for name in ("name", "content", "rel", "href", "type")}
    kind, line = element.tag.rpartition(":")[2], element.source_line or 0
    if kind == "meta" and of["name"]:
        return Tag("meta", of["name"].lower(), of["content"], line)
    if kind == "link" and "license" in of["rel"].lower().split():
        return Tag("link", "license", of["href"], line, of["type"].lower())
    return None
