"""The meta tags and licence links of a page, as a reader of HTML finds them.

Pages are untrusted: 512 KiB of each are read, by parsers that can't end the process.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5
from xml.parsers import expat

from aipolicy.errors import MissingExtraError

try:
    from justhtml import stream
except ImportError:
    raise MissingExtraError.for_extra("reading pages needs justhtml", "check") from None

MOST_BYTES = 512 * 1024
_BLANK = b"\xef\xbb\xbf \t\r\n\x0c"  # a byte order mark, and white space
# The beginnings of HTML (MIME Sniffing §7.1).
_HTML = re.compile(
    rb"<(!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]|<!--", re.I
)
_BOMS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_BE, "utf-16-be"), (BOM_UTF16_LE, "utf-16-le"))
# The encodings of the web (Encoding §4.2); some of Python's others don't decode text.
_CHARSET = re.compile(
    r"utf-?8|utf-16(le|be)?|us-ascii|iso-?8859-?\d+|latin-?\d|windows-\d+|koi8-[ru]|big5|gb\w+|shift_jis|euc-\w+",
    re.A,
)
# XML §2.8, and the beginning of a page (HTML §13.2.3.2).
_DECLARED = re.compile(
    rb"""<(?:\?xml\s|meta\s)[^>]*?(?:encoding|charset)\s*=\s*["']?\s*([\w.-]+)""", re.A | re.I
)
_XHTML = "http://www.w3.org/1999/xhtml"
_ENTITY = re.compile(r"&(\w+;)", re.A)
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})  # XML §4.6
_SPACE = " \t\n\f\r"  # HTML's own white space
_NOSCRIPT = re.compile(r"<(/?)noscript(?=[\s/>])", re.I)

_Element = tuple[str, Mapping[str, str | None]]
"""Name and attributes of a start tag; of an end tag its name behind a slash."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A ``meta`` (``name``, ``content``) or a ``link`` (its ``rel``, ``href`` and ``type``)."""

    kind: str
    name: str
    content: str
    type: str = ""

    def __str__(self) -> str:
        if self.kind == "meta":
            return f'<meta name="{self.name}" content="{self.content}">'
        return f'<link rel="{self.name}" type="{self.type}" href="{self.content}">'


@dataclass(frozen=True)
class Markup:
    """The tags of a page. ``complete``: the page was read to its end, in the format that it is sent as."""

    tags: tuple[Tag, ...] = ()
    complete: bool = True

    def metas(self, name: str) -> list[Tag]:
        """Return the meta tags of that name, in any case, in order."""
        return self._metas.get(name.lower(), [])

    def rules(self, name: str) -> dict[str, Tag]:
        """Return the rules in those tags, in lower case and without spaces, each with its first tag."""
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
    """Return the body without a byte order mark and white space before it."""
    return body.lstrip(_BLANK)


def looks_like_html(body: bytes) -> bool:
    """Return True if the body begins as HTML does, whatever its content type."""
    return _HTML.match(without_blank(body[:512])) is not None


def read_html(body: bytes, charset: str = "", *, xml: bool = False) -> Markup:
    """Parse a page by the rules of HTML, without running its scripts. Never raises for its content.

    Args:
        body: The page.
        charset: The charset of Content-Type; if it is none of the web's, the page's own declaration counts.
        xml: The page is sent as XHTML. If it isn't well-formed it is parsed as HTML, as by crawlers that have
            one parser for both; tags after an empty ``script`` may be lost then.
    """
    text = _decoded(body[:MOST_BYTES], charset)
    elements = _xhtml(text) if xml else None
    complete = len(body) <= MOST_BYTES and (elements is not None or not xml)
    # The content of a template is not part of the page (HTML §4.12.3).
    templates, tags = 0, []
    for kind, attributes in _html(text) if elements is None else elements:
        if kind == "template":
            templates += 1
        elif kind == "/template":
            templates -= templates > 0
        elif not templates and (tag := _tag(kind, attributes)):
            tags.append(tag)
    return Markup(tuple(tags), complete)


def _html(text: str) -> Iterator[_Element]:
    # Without scripts noscript is an element like others (HTML §4.12.2).
    for event in stream(_NOSCRIPT.sub(r"<\1no-script", text)):
        if event[0] == "start":
            yield event[1]
        elif event[0] == "end":
            yield f"/{event[1]}", {}


def _xhtml(text: str) -> list[_Element] | None:
    """Return the elements of XHTML, or None if it isn't well-formed."""
    # HTML's entities are declared by XHTML's DTDs, which nobody fetches.
    for document in (text, _ENTITY.sub(_numeric, text)):
        try:
            return _well_formed(document.lstrip())
        except expat.ExpatError:
            continue
    return None


def _well_formed(text: str) -> list[_Element]:
    found: list[_Element] = []
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = lambda name, attributes: found.append((_local(name), attributes))
    parser.EndElementHandler = lambda name: found.append((f"/{_local(name)}", {}))
    parser.Parse(text.encode("utf-8", "replace"), True)
    return found


def _local(name: str) -> str:
    """Return the local name of an element in XHTML's namespace or in none, else the unusable full name."""
    namespace, _, local = name.rpartition(" ")
    return local if namespace in ("", _XHTML) else name


def _numeric(entity: re.Match[str]) -> str:
    name = entity[1]
    if name in _XML_ENTITIES:
        return entity[0]
    return "".join(f"&#{ord(character)};" for character in html5.get(name, "")) or entity[0]


def _decoded(body: bytes, charset: str) -> str:
    """Decode by the byte order mark, else Content-Type, else the page's own declaration (RFC 7303 §3)."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    declared = _DECLARED.search(body, 0, 1024)
    own = declared[1].decode("ascii").lower() if declared else ""
    if own.startswith("utf-16"):  # wrong: the declaration was read as ASCII
        own = "utf-8"
    for label in (charset.lower(), own):
        if _CHARSET.fullmatch(label):
            try:
                return body.decode("utf-16-le" if label == "utf-16" else label, "replace")
            except LookupError:
                continue
    return body.decode("utf-8", "replace")


def _tag(kind: str, attributes: Mapping[str, str | None]) -> Tag | None:
    values = {
        name: (attributes.get(name) or "").strip(_SPACE)
        for name in ("name", "content", "rel", "href", "type")
    }
    if kind == "meta" and values["name"]:
        return Tag("meta", values["name"].lower(), values["content"])
    if kind == "link" and "license" in re.split(f"[{_SPACE}]+", values["rel"].lower()):
        return Tag("link", "license", values["href"], values["type"].lower())
    return None
