"""One row of a file of sites: what it declares, or what is wrong with it."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError, PolicyError


@dataclass(frozen=True, slots=True)
class Entry:
    """A site's policy, and all of its further hosts, canonical (None: those that it has already)."""

    policy: SitePolicy
    hosts: frozenset[str] | None = None


Row = tuple[int, Entry | AIPolicyError]
"""The row's number, counted from 1 (in text files: the line where it begins), and what it is."""

Reader = Callable[[Iterable[str]], Iterator[Row]]
"""Text (lines, or pieces cut anywhere where the format has no lines) → rows.

A bad row is an error *in* the stream; raised is only what makes the rest unreadable, as AIPolicyError.
"""

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
    return site_name(host.strip())


def hosts_of(hosts: Iterable[str]) -> frozenset[str]:
    """Canonical hosts. Raises HostError."""
    return frozenset(map(site_name, hosts))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that is near, as a cure; else all of them."""
    choices = list(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(choices)}"
