"""A policy rendered once, into the bytes that every response reuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from hashlib import blake2b

from aipolicy.core.crawlers import Crawler
from aipolicy.core.effects import Effect, effect_on, unlicensed_effect
from aipolicy.core.fields import Visibility
from aipolicy.core.headers import Header, headers_of, meta_tags
from aipolicy.core.matching import first_match
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
        return first_match(self.paths, path, self.site)

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

    def closed_to(self, crawler: Crawler, *paths: str) -> bool:
        """Return True if the policy closes any of ``paths``, with their queries, to ``crawler``."""
        return _closes(effect_on(self.policy, crawler), paths)

    def opened_by_licence(self, crawler: Crawler, *paths: str) -> bool:
        """Return True if any of ``paths`` is open to ``crawler`` only because the owner licensed it."""
        policy = self.policy
        if crawler.product_token not in policy.licensed or policy.visibility is Visibility.PRIVATE:
            return False
        return _closes(unlicensed_effect(policy, crawler), paths)

    @property
    def pattern_cost(self) -> int:
        """Comparisons of strings that it takes to match one path with every pattern."""
        return sum(1 + pattern.count("*") for pattern, _ in self.paths)


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


def _closes(effect: Effect, paths: Iterable[str]) -> bool:
    return any(first_match(effect.paths, path, effect.blocked) for path in paths)


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
    policy = SitePolicy(
        preferences=preferences,
        visibility=max((p.visibility for p in policies), key=list(Visibility).index),
        tdm_policy_url=tdm_policy_urls.pop() if len(tdm_policy_urls) == 1 else None,
        license_url=license_urls.pop() if len(license_urls) == 1 else None,
    )
    first = found[0][0]
    header_set = _header_set(policy, preferences, first.signals)
    return replace(first, policy=policy, site=header_set, paths=())
