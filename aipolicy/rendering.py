"""A policy rendered once, into the bytes that every response reuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from hashlib import blake2b

from aipolicy.core.crawlers import Crawler
from aipolicy.core.paths import normalise
from aipolicy.core.patterns import PatternTable
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import Visibility
from aipolicy.robotstxt.merge import FittedRobotsTxt, fitted_robots_txt, robots_txt
from aipolicy.signals.ai_txt import ai_txt
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import headers_of, meta_tags
from aipolicy.signals.switches import Signals
from aipolicy.signals.tdmrep import tdmrep_json

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
    """Ready header tuples, and their names in lower case: where a response has one, it must be merged.

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

    @property
    def most_searches(self) -> int:
        """The most strings that are searched for in a path to tell its headers."""
        return self._table.most_searches

    def headers_over(self, paths: Iterable[str | None]) -> HeaderSet:
        """The headers of a response to a request that can be read as any of ``paths``; None: as every path.

        The most restrictive preferences hold: what one reading disallows is disallowed, and only what all of
        them allow is allowed.
        """
        found: dict[HeaderSet, None] = {}
        for path in paths:
            if path is None:
                found |= dict.fromkeys((self.site, *(its for _, its in self.paths)))
            else:
                found[self.headers_at(path)] = None
        if len(found) == 1:
            return next(iter(found))
        preferences = reduce(Preferences.restricted_by, (header_set.preferences for header_set in found))
        return _header_set(self.policy, preferences, self.signals)

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
        whole: refuse to cut; see ``aipolicy.robotstxt.merge.fitted_robots_txt``.

    Raises:
        RobotsTooLargeError: it must be ``whole``, and is too large.
    """
    signals = signals or Signals()
    paths = policy.effective_paths
    header_sets = {p: _header_set(policy, p, signals) for p in {p for _, p in paths}}
    strictest = reduce(Preferences.restricted_by, header_sets, policy.effective)
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
    return HeaderSet(headers, frozenset(name for name, _ in headers), preferences, meta_tags(headers))


def most_restrictive(found: Sequence[tuple[Rendering, HeaderSet]]) -> Rendering:
    """Return a rendering, of headers alone, for a response that may be any of these sites'.

    Terms that not all of them offer are not offered.
    """
    policies = [rendering.policy for rendering, _ in found]
    preferences = reduce(Preferences.restricted_by, (header_set.preferences for _, header_set in found))
    tdm_policy_urls, license_urls = {p.tdm_policy_url for p in policies}, {p.license_url for p in policies}
    visibility = max((p.visibility for p in policies), key=list(Visibility).index)
    policy = SitePolicy(
        preferences=preferences,
        visibility=visibility,
        tdm_policy_url=tdm_policy_urls.pop() if len(tdm_policy_urls) == 1 else None,
        license_url=license_urls.pop() if len(license_urls) == 1 else None,
    )
    first = found[0][0]
    header_set = _header_set(policy, preferences, first.signals)
    return replace(first, policy=policy, site=header_set, paths=(), strictest=header_set)
