"""Rows of an input file, and the values in their cells."""

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, HostError, PolicyError


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site, its policy and its hosts.

    Attributes:
        policy: Without a site, so that equal rows share one.
        hosts: All further hosts, canonical; None keeps those that the site has.
    """

    site: str
    policy: SitePolicy
    hosts: frozenset[str] | None = None


class PolicyCache:
    """A cache of policies by their spelling: most rows have one of a handful."""

    def __init__(self) -> None:
        self._known: BoundedCache[Hashable, SitePolicy] = BoundedCache(_CACHED)

    def get(self, spelling: Hashable, size: int, parse: Callable[[], SitePolicy]) -> SitePolicy:
        """Return the policy for ``spelling``, parsed once; one of many characters (``size``) isn't cached."""
        try:
            return self._known[spelling]
        except KeyError:
            policy = parse()
            return self._known.keep(spelling, policy) if size <= _LONGEST else policy


Row = tuple[int, SiteRow | AIPolicyError]
"""The number of a row from 1 (in text files: of its first line), and its content or its error.

Readers yield the errors of bad rows, and raise AIPolicyError only if the rest of the input can't be read.
"""

_NO_UTF_8 = re.compile("[\udc80-\udcff\ufffd]")  # a byte escaped as a surrogate, or replaced
_URL = re.compile(r"(?:https?:)?//(?P<host>[^/?#@\\]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_NONE: frozenset[str] = frozenset()
_CACHED = 4096  # policies
_LONGEST = 4096  # characters: sixteen megabytes in all

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no"), False),
}


def flag(text: str) -> bool:
    """Parse an opt-out flag. Raises PolicyError for an unclear value."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise PolicyError(f"opted_out is {text!r}: use one of {', '.join(_FLAGS)}") from None


def canonical_site(host: object) -> str:
    """Return the canonical host of a site. Raises PolicyError, HostError."""
    if not isinstance(host, str) or not host.strip():
        raise PolicyError(f"host is {host!r}: every row needs one, like 'blog.example'")
    return _canonical(host.strip())


def canonical_hosts(hosts: Iterable[str]) -> frozenset[str]:
    """Return the canonical forms of hosts. Raises HostError."""
    return frozenset(map(_canonical, hosts)) if hosts else _NONE


def _canonical(host: str) -> str:
    """Return the canonical host of a name, or of a URL without a path. Raises HostError."""
    url = _URL.fullmatch(host)
    if url is not None and url["rest"] not in ("", "/"):
        fix = "give the host alone, and opt out a path with 'aipolicy set --path'"
        raise HostError(f"{host!r} has the path {url['rest']!r}, and a policy covers the whole host: {fix}")
    try:
        return site_name(url["host"] if url is not None else host)
    except HostError:
        if not _NO_UTF_8.search(host):
            raise
        printable = _NO_UTF_8.sub("\ufffd", host)
        raise HostError(f"{printable!r} is neither a host name nor UTF-8: save the file as UTF-8") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a fix that suggests the closest known word, or lists all of them."""
    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(choices)}"


def strictest(policies: Sequence[SitePolicy]) -> SitePolicy:
    """Return the first policy with the restrictions of all, and only licences and grants that all have."""
    first, *others = policies
    preferences, visibility, licensed = first.preferences, first.visibility, set(first.licensed)
    for other in others:
        preferences = preferences.combined(other.preferences)
        visibility = max(visibility, other.visibility, key=list(Visibility).index)
        licensed &= set(other.licensed)
    paths: dict[str, Preferences] = {}
    for policy in policies:
        for path, stated in policy.path_preferences:
            paths[path] = stated.combined(paths.get(path, Preferences()))
    by_policy = [dict(policy.path_preferences) for policy in policies]
    if others:
        paths = {
            path: stated
            if all(path in stated_paths for stated_paths in by_policy)
            else _without_grants(stated)
            for path, stated in paths.items()
        }
    return replace(
        first,
        preferences=preferences,
        visibility=visibility,
        licensed=tuple(licensed),
        path_preferences=tuple((path, stated) for path, stated in paths.items() if stated),
    )


def _without_grants(preferences: Preferences) -> Preferences:
    disallowed = {category for category, value in preferences if value is Preference.DISALLOW}
    return Preferences(
        *(Preference.DISALLOW if category in disallowed else Preference.UNKNOWN for category in Category)
    )
