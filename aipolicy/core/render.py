"""A policy rendered once, into the bytes that every response reuses."""

from dataclasses import dataclass
from hashlib import blake2b

from aipolicy.core.fields import Visibility
from aipolicy.core.headers import Header, headers_of
from aipolicy.core.matching import path_matches
from aipolicy.core.merge import robots_txt
from aipolicy.core.policy import SitePolicy
from aipolicy.core.signals import Signals
from aipolicy.core.wellknown import ai_txt, tdmrep_json

_TEXT, _JSON = b"text/plain; charset=utf-8", b"application/json"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file's bytes, its strong entity tag, and its ready headers (without ``Cache-Control``)."""

    body: bytes
    etag: bytes
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HeaderSet:
    """Ready header tuples, and the names that must be merged where a response has them already."""

    headers: tuple[Header, ...]
    names: frozenset[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Everything that a policy puts on the wire. Sites with equal policies can share one.

    ``site`` holds for every path but those that one of ``paths`` matches, longest pattern first. A file that
    is None has nothing to say: the application's own answer stands.
    """

    policy: SitePolicy
    signals: Signals
    site: HeaderSet
    paths: tuple[tuple[str, HeaderSet], ...]
    robots: Document
    tdmrep: Document | None
    ai_txt: Document | None

    @property
    def takes_own_robots(self) -> bool:
        """Whether an application's own robots.txt has a place in ours."""
        return self.policy.robots_base is None and self.policy.visibility is not Visibility.PRIVATE

    def headers_at(self, path: str) -> HeaderSet:
        """The headers of a response to ``path``."""
        return next((its for pattern, its in self.paths if path_matches(pattern, path)), self.site)


def render(policy: SitePolicy, signals: Signals | None = None) -> Rendering:
    """Render ``policy``. Raises RobotsTooLargeError."""
    signals = signals or Signals()
    tdmrep, ai = tdmrep_json(policy, signals), ai_txt(policy, signals)
    return Rendering(
        policy=policy,
        signals=signals,
        site=_header_set(headers_of(policy, policy.effective, signals)),
        paths=tuple(
            (pattern, _header_set(headers_of(policy, preferences, signals)))
            for pattern, preferences in policy.effective_paths
        ),
        robots=robots_document(robots_txt(policy, signals, policy.robots_base)),
        tdmrep=_document(tdmrep, _JSON) if tdmrep else None,
        ai_txt=_document(ai, _TEXT) if ai else None,
    )


def robots_document(body: bytes) -> Document:
    """A robots.txt ready to send (RFC 9309 §2.3: UTF-8, text/plain)."""
    return _document(body, _TEXT)


def _document(body: bytes, media_type: bytes) -> Document:
    etag = b'"%s"' % blake2b(body, digest_size=12).hexdigest().encode()
    length = str(len(body)).encode()
    return Document(body, etag, ((b"content-type", media_type), (b"content-length", length), (b"etag", etag)))


def _header_set(headers: tuple[Header, ...]) -> HeaderSet:
    # ASGI wants lower case; some applications write names as they see them elsewhere.
    spellings = (bytes.lower, bytes.title, bytes.upper, _initials)
    names = {spelled(name) for name, _ in headers for spelled in spellings}
    return HeaderSet(headers, frozenset(names))


def _initials(name: bytes) -> bytes:
    return name.title().replace(b"Tdm-", b"TDM-")
