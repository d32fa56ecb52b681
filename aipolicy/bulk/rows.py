"""One row of a file of sites: what it declares, or what is wrong with it."""

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, HostError, PolicyError


@dataclass(frozen=True, slots=True)
class Entry:
    """A site, what it declares, and all of its further hosts, canonical (None: those that it has already).

    ``policy`` has no site: rows that declare the same share one.
    """

    site: str
    policy: SitePolicy
    hosts: frozenset[str] | None = None


class Policies:
    """The policies that were read, by how they were written: most rows say one of a handful of things."""

    def __init__(self) -> None:
        self._known: Memo[Hashable, SitePolicy] = Memo(_REMEMBERED)

    def of(self, written: Hashable, size: int, read: Callable[[], SitePolicy]) -> SitePolicy:
        """The policy, read only once; ``written`` has ``size`` characters, and what is long is not kept."""
        try:
            return self._known[written]
        except KeyError:
            policy = read()
            return self._known.keep(written, policy) if size <= _LONGEST else policy


Row = tuple[int, Entry | AIPolicyError]
"""The row's number, counted from 1 (in text files: the line where it begins), and what it is."""

Reader = Callable[[Iterable[str]], Iterator[Row]]
"""Text (lines, or pieces cut anywhere where the format has no lines) → rows.

A bad row is an error *in* the stream; raised is only what makes the rest unreadable, as AIPolicyError.
"""

_NO_UTF_8 = re.compile("[\udc80-\udcff\ufffd]")  # an octet escaped as a surrogate, or replaced
_URL = re.compile(r"(?:https?:)?//(?P<host>[^/?#@\\]+)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_NONE: frozenset[str] = frozenset()
_REMEMBERED = 4096  # policies
_LONGEST = 4096  # characters: sixteen megabytes in all

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no"), False),
}


def flag(text: str) -> bool:
    """The owner's opt-out as people write it. Raises PolicyError: what is unclear is nobody's choice."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise PolicyError(f"opted_out is {text!r}: write one of {', '.join(_FLAGS)}") from None


def site_of(host: object) -> str:
    """A canonical host. Raises PolicyError, HostError."""
    if not isinstance(host, str) or not host.strip():
        raise PolicyError(f"host is {host!r}: every row needs one, like 'blog.example'")
    return _canonical(host.strip())


def hosts_of(hosts: Iterable[str]) -> frozenset[str]:
    """Canonical hosts. Raises HostError."""
    return frozenset(map(_canonical, hosts)) if hosts else _NONE


def _canonical(host: str) -> str:
    """The host of a name or of a whole URL without a path. Raises HostError."""
    url = _URL.fullmatch(host)
    if url is not None and url["rest"] not in ("", "/"):
        fix = "a policy is a whole host's: give the host alone, and say no to a path by 'aipolicy set --path'"
        raise HostError(f"{host!r} has the path {url['rest']!r}: {fix}")
    try:
        return site_name(url["host"] if url is not None else host)
    except HostError:
        if not _NO_UTF_8.search(host):
            raise
        shown = _NO_UTF_8.sub("\ufffd", host)
        raise HostError(f"{shown!r} is not a host name, nor UTF-8: save the file as UTF-8") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that is near, as a fix; else all of them."""
    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(choices)}"


def strictest(policies: Sequence[SitePolicy]) -> SitePolicy:
    """Return the first policy with every no of any; a licence or a grant counts where all have it."""
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
    everywhere = [dict(policy.path_preferences) for policy in policies]
    if others:
        paths = {
            path: stated if all(path in its for its in everywhere) else _without_grants(stated)
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
    noes = {category for category, said in preferences if said is Preference.DISALLOW}
    return Preferences(
        *(Preference.DISALLOW if category in noes else Preference.UNKNOWN for category in Category)
    )
