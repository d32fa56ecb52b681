"""A policy rendered once, into the bytes that every response reuses."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from aipolicy.core.crawlers import Crawler
from aipolicy.core.effects import Effect, effect_on, unlicensed_effect
from aipolicy.core.fields import Visibility
from aipolicy.core.headers import Header, headers_of, meta_tags
from aipolicy.core.matching import path_matches
from aipolicy.core.merge import robots_txt
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
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
    """Ready header tuples, and the names that must be merged where a response has them already.

    ``preferences`` are what they say; ``tags`` is the same as HTML meta tags.
    """

    headers: tuple[Header, ...]
    names: frozenset[bytes]
    preferences: Preferences
    tags: bytes


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Rendering:
    """Everything that a policy puts on the wire. Sites with equal policies can share one.

    ``site`` holds for every path but those that one of ``paths`` matches, longest pattern first. A file that
    is None has nothing to say: the application's own answer stands. ``takes_own_robots``: whether an
    application's own robots.txt has a place in ours.
    """

    policy: SitePolicy
    signals: Signals
    site: HeaderSet
    paths: tuple[tuple[str, HeaderSet], ...]
    robots: Document
    takes_own_robots: bool
    tdmrep: Document | None
    ai_txt: Document | None

    def headers_at(self, path: str) -> HeaderSet:
        """The headers of a response to ``path``."""
        return next((its for pattern, its in self.paths if path_matches(pattern, path)), self.site)

    def headers_with(self, stated: Preferences, there: HeaderSet) -> HeaderSet:
        """``there``, one of this rendering's, for content of which ``stated`` is said too."""
        preferences = there.preferences.combined(stated)
        return _header_set(self.policy, preferences, self.signals)

    def closed_to(self, crawler: Crawler, path: str) -> bool:
        """Whether the policy closes ``path``, with its query, to ``crawler``."""
        return _closes(effect_on(self.policy, crawler), path)

    def opened_by_licence(self, crawler: Crawler, path: str) -> bool:
        """Whether ``path`` is open to ``crawler`` only because the owner lets it in although opted out."""
        if crawler.product_token not in self.policy.licensed or self.closed_to(crawler, path):
            return False
        return _closes(unlicensed_effect(self.policy, crawler), path)


def render(policy: SitePolicy, signals: Signals | None = None) -> Rendering:
    """Render ``policy``. Raises RobotsTooLargeError."""
    signals = signals or Signals()
    paths = policy.effective_paths
    header_sets = {p: _header_set(policy, p, signals) for p in {p for _, p in paths}}
    tdmrep, ai = tdmrep_json(policy, signals), ai_txt(policy, signals)
    return Rendering(
        policy=policy,
        signals=signals,
        site=_header_set(policy, policy.effective, signals),
        paths=tuple((pattern, header_sets[preferences]) for pattern, preferences in paths),
        robots=robots_document(robots_txt(policy, signals, policy.robots_base)),
        takes_own_robots=policy.robots_base is None and policy.visibility is not Visibility.PRIVATE,
        tdmrep=_document(tdmrep, _JSON) if tdmrep else None,
        ai_txt=_document(ai, _TEXT) if ai else None,
    )


def _closes(effect: Effect, path: str) -> bool:
    return next((blocked for pattern, blocked in effect.paths if path_matches(pattern, path)), effect.blocked)


def robots_document(body: bytes) -> Document:
    """A robots.txt ready to send (RFC 9309 §2.3: UTF-8, text/plain)."""
    return _document(body, _TEXT)


def _document(body: bytes, media_type: bytes) -> Document:
    etag = b'"%s"' % blake2b(body, digest_size=12).hexdigest().encode()
    length = str(len(body)).encode()
    return Document(body, etag, ((b"content-type", media_type), (b"content-length", length), (b"etag", etag)))


def _header_set(policy: SitePolicy, preferences: Preferences, signals: Signals) -> HeaderSet:
    return _with_names(headers_of(policy, preferences, signals), preferences)


@lru_cache(maxsize=256)  # policies that differ in their robots.txt alone have the same headers
def _with_names(headers: tuple[Header, ...], preferences: Preferences) -> HeaderSet:
    # ASGI wants lower case; some applications write names as they see them elsewhere.
    spellings = (bytes.lower, bytes.title, bytes.upper, _initials)
    names = {spelled(name) for name, _ in headers for spelled in spellings}
    return HeaderSet(headers, frozenset(names), preferences, meta_tags(headers))


def _initials(name: bytes) -> bytes:
    return name.title().replace(b"Tdm-", b"TDM-")
