"""A policy rendered once, into the bytes that every response reuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from aipolicy.core.crawlers import Crawler
from aipolicy.core.fields import Visibility
from aipolicy.core.headers import Header, headers_of, meta_tags
from aipolicy.core.merge import FittedRobotsTxt, fitted_robots_txt, robots_txt
from aipolicy.core.paths import normalise
from aipolicy.core.patterns import PatternTable
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.signals import Signals
from aipolicy.core.wellknown import ai_txt, tdmrep_json

_LONGEST_PATH = 8192  # octets; longer ones, which servers refuse, are not matched
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

    ``site`` holds for every path but those that one of ``paths`` matches, longest first; ``strictest`` has
    the most restrictive of them all. A file that is None has nothing to say: the application's own answer
    stands. ``takes_own_robots``: whether an application's own robots.txt has a place in ours. ``cut``: what
    robots.txt leaves out so that crawlers read it to its end, in words; "" if nothing.
    """

    policy: SitePolicy
    signals: Signals
    site: HeaderSet
    paths: tuple[tuple[str, HeaderSet], ...]
    robots: Document
    takes_own_robots: bool
    tdmrep: Document | None
    ai_txt: Document | None
    strictest: HeaderSet
    cut: str
    _table: PatternTable[HeaderSet]

    def headers_at(self, path: str) -> HeaderSet:
        """The headers of a response to ``path``. Of a path over 8 KiB: the most restrictive of the site's."""
        if not self.paths:
            return self.site
        if len(path) > _LONGEST_PATH:
            return self.strictest
        return self._table.first(normalise(path)) or self.site

    def headers_with(self, stated: Preferences, there: HeaderSet) -> HeaderSet:
        """``there``, one of this rendering's, for content of which ``stated`` is said too."""
        preferences = there.preferences.combined(stated)
        return _header_set(self.policy, preferences, self.signals)

    def closed_to(self, crawler: Crawler, path: str) -> bool:
        """Whether the policy closes ``path``, with its query, to ``crawler``."""
        if self.policy.visibility is Visibility.PRIVATE:
            return True
        return crawler.product_token not in self.policy.licensed and self._closes(crawler, path)

    def opened_by_licence(self, crawler: Crawler, path: str) -> bool:
        """Whether ``path`` is open to ``crawler`` only because the owner lets it in although opted out."""
        if crawler.product_token not in self.policy.licensed or self.closed_to(crawler, path):
            return False
        return self._closes(crawler, path)

    def _closes(self, crawler: Crawler, path: str) -> bool:
        covered = self.policy.covers(crawler)
        return covered and self.headers_at(path).preferences.disallows(*crawler.purpose.categories)


def render(policy: SitePolicy, signals: Signals | None = None, *, whole: bool = False) -> Rendering:
    """Render ``policy``. Where its robots.txt would be too large, that file alone is cut.

    Args:
        policy: what the site declares.
        signals: the switches.
        whole: refuse to cut; see ``aipolicy.core.merge.fitted_robots_txt``.

    Raises:
        RobotsTooLargeError: it must be ``whole``, and is too large.
    """
    signals = signals or Signals()
    paths = policy.effective_paths
    header_sets = {p: _header_set(policy, p, signals) for p in {p for _, p in paths}}
    strictest = _strictest([policy.effective, *header_sets])
    placed = tuple((pattern, header_sets[preferences]) for pattern, preferences in paths)
    tdmrep, ai = tdmrep_json(policy, signals), ai_txt(policy, signals)
    if whole:
        robots = FittedRobotsTxt(robots_txt(policy, signals, policy.robots_base), "")
    else:
        robots = fitted_robots_txt(policy, signals, policy.robots_base)
    return Rendering(
        policy=policy,
        signals=signals,
        site=_header_set(policy, policy.effective, signals),
        paths=placed,
        robots=robots_document(robots.body),
        takes_own_robots=policy.robots_base is None and policy.visibility is not Visibility.PRIVATE,
        tdmrep=_document(tdmrep, _JSON) if tdmrep else None,
        ai_txt=_document(ai, _TEXT) if ai else None,
        strictest=_header_set(policy, strictest, signals),
        cut=robots.cut,
        _table=PatternTable(placed, many_paths=True),
    )


def _strictest(stated: Sequence[Preferences]) -> Preferences:
    """Refused is what any of them refuses, granted only what all grant."""
    return Preferences(
        *(
            Preference.DISALLOW
            if any(p[category] is Preference.DISALLOW for p in stated)
            else Preference.ALLOW
            if all(p[category] is Preference.ALLOW for p in stated)
            else Preference.UNKNOWN
            for category in Category
        )
    )


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
