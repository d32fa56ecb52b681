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

_MAX_PATH = 8192  # characters; servers refuse longer ones, so these are not matched
_TEXT, _JSON = b"text/plain; charset=utf-8", b"application/json"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file: its bytes, its strong entity tag, and its headers without ``Cache-Control``."""

    body: bytes
    etag: bytes
    headers: tuple[Header, ...]


@dataclass(frozen=True, slots=True, eq=False)
class HeaderSet:
    """The headers of a response, ready to send.

    Attributes:
        headers: Pairs of name and value.
        names: The names in lower case. A response that already has one of them must be merged.
        preferences: The preferences that the headers express.
        tags: The same signals as HTML meta tags.
    """

    headers: tuple[Header, ...]
    names: frozenset[bytes]
    preferences: Preferences
    tags: bytes


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Rendering:
    """All files and headers of a policy. Sites with equal policies can share one.

    Attributes:
        site: The headers of every path that none of ``paths`` matches.
        paths: Pairs of path pattern and headers, the longest pattern first.
        takes_own_robots: True if the application's own robots.txt is merged into ``robots``.
        tdmrep: The tdmrep.json, or None if the policy has none: the application answers then.
        ai_txt: The ai.txt, or None likewise.
        strictest: The most restrictive headers of all paths.
        cut: A description of what robots.txt leaves out to stay within 500 KiB; "" if nothing.
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
        """Return the headers for ``path``; for a path of more than 8 KiB the most restrictive of the site."""
        if not self.paths:
            return self.site
        if len(path) > _MAX_PATH:
            return self.strictest
        return self._table.first(normalise(path)) or self.site

    @property
    def max_searches(self) -> int:
        """The maximum number of searches in a path to find its headers."""
        return self._table.max_searches

    def headers_over(self, paths: Iterable[str | None]) -> HeaderSet:
        """Return the headers for a request that can be read as any of ``paths``; None is any path at all.

        The most restrictive preferences apply: a use is disallowed if one path disallows it, and allowed only
        if all paths allow it.
        """
        found: dict[HeaderSet, None] = {}
        for path in paths:
            if path is None:
                found |= dict.fromkeys((self.site, *(header_set for _, header_set in self.paths)))
            else:
                found[self.headers_at(path)] = None
        if len(found) == 1:
            return next(iter(found))
        preferences = reduce(Preferences.restricted_by, (header_set.preferences for header_set in found))
        return _header_set(self.policy, preferences, self.signals)

    def headers_with(self, stated: Preferences, header_set: HeaderSet) -> HeaderSet:
        """Return a header set of this rendering combined with further preferences for the content."""
        preferences = header_set.preferences.combined(stated)
        return _header_set(self.policy, preferences, self.signals)

    def closed_to(self, crawler: Crawler, path: str) -> bool:
        """Return True if the policy closes ``path``, with its query, to ``crawler``."""
        if self.policy.visibility is Visibility.PRIVATE:
            return True
        return crawler.product_token not in self.policy.licensed and self._closes(crawler, path)

    def opened_by_licence(self, crawler: Crawler, path: str) -> bool:
        """Return True if ``crawler`` may fetch ``path`` only because the owner licensed it."""
        if crawler.product_token not in self.policy.licensed or self.closed_to(crawler, path):
            return False
        return self._closes(crawler, path)

    def _closes(self, crawler: Crawler, path: str) -> bool:
        covered = self.policy.covers(crawler)
        return covered and self.headers_at(path).preferences.disallows(*crawler.purpose.categories)


def render(policy: SitePolicy, signals: Signals | None = None, *, complete: bool = False) -> Rendering:
    """Render ``policy``. A robots.txt that would be too large is shortened.

    Args:
        complete: Don't shorten robots.txt (see ``aipolicy.robotstxt.merge.fitted_robots_txt``).

    Raises:
        RobotsTooLargeError: robots.txt is too large, and ``complete`` is true.
    """
    signals = signals or Signals()
    paths = policy.effective_paths
    header_sets = {p: _header_set(policy, p, signals) for p in {p for _, p in paths}}
    strictest = reduce(Preferences.restricted_by, header_sets, policy.effective)
    by_path = tuple((pattern, header_sets[preferences]) for pattern, preferences in paths)
    tdmrep, ai = tdmrep_json(policy, signals), ai_txt(policy, signals)
    if complete:
        robots = FittedRobotsTxt(robots_txt(policy, signals, policy.robots_base), "")
    else:
        robots = fitted_robots_txt(policy, signals, policy.robots_base)
    return Rendering(
        policy=policy,
        signals=signals,
        site=_header_set(policy, policy.effective, signals),
        paths=by_path,
        robots=robots_document(robots.body),
        takes_own_robots=policy.robots_base is None and policy.visibility is not Visibility.PRIVATE,
        tdmrep=_document(tdmrep, _JSON) if tdmrep else None,
        ai_txt=_document(ai, _TEXT) if ai else None,
        strictest=_header_set(policy, strictest, signals),
        cut=robots.cut,
        _table=PatternTable(by_path, many_paths=True),
    )


def robots_document(body: bytes) -> Document:
    """Return a robots.txt as a document (RFC 9309 §2.3: UTF-8, text/plain)."""
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
    """Return a rendering, of headers alone, for a response that may be from any of these sites.

    Terms that not all of the sites offer are left out.
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
