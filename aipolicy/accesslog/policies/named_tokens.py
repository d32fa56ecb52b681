"""The product tokens that policies name and the crawler table doesn't have: their owners are judged, too."""

import re
from collections.abc import Iterable, Mapping

from aipolicy.accesslog.policies.parsed_robots import Readings
from aipolicy.accesslog.policies.versions import Policies, Timeline
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.crawlers import crawler_named

_REMEMBERED = 4096  # timelines
_LINE = re.compile(rb"^[ \t\xef\xbb\xbf]*user[ -]?agent[ \t]*:([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)

Names = Mapping[str, str]
"""Product tokens by themselves in lower case, in their spelling."""


class NamedTokens:
    """``of`` are the tokens that a host's policies name; ``everywhere`` those of all hosts.

    Where the policies are read host by host, from a registry, ``everywhere`` knows those of ``hosts`` alone.
    """

    def __init__(self, policies: Policies, hosts: Iterable[str] = ()) -> None:
        self._readings = Readings()
        self._memo: Memo[int, tuple[Timeline, Names]] = Memo(_REMEMBERED)
        timelines = [*policies.every(), *filter(None, map(policies.timeline, hosts))]
        files = {version.robots for timeline in timelines for version in timeline.versions}
        self._spellings = _spelled(name for file in files for name in _quickly(file))

    @property
    def everywhere(self) -> tuple[str, ...]:
        return tuple(self._spellings.values())

    def of(self, timeline: Timeline | None) -> Names:
        """The tokens that any version of ``timeline`` names."""
        if timeline is None:
            return {}
        kept = self._memo.get(id(timeline))
        if kept is None or kept[0] is not timeline:
            files = dict.fromkeys(version.robots for version in timeline.versions)
            names = _spelled(name for file in files for name in self._readings.of(file).tokens)
            names = {name: self._spellings.get(name, spelling) for name, spelling in names.items()}
            kept = self._memo.keep(id(timeline), (timeline, names))
        return kept[1]


def _spelled(names: Iterable[str]) -> Names:
    """Each name in one spelling, however many there are: one with capitals and small letters if it can be."""
    found: dict[str, str] = {}
    for name in {name for name in names if len(name) > 1 and crawler_named(name) is None}:
        found[name.lower()] = best_spelling((found.get(name.lower(), name), name))
    return found


def best_spelling(names: Iterable[str]) -> str:
    """Return one of some spellings of a name: with capitals and small letters, if there is such a one."""
    return min(names, key=lambda name: (name.islower() or name.isupper(), name))


def _quickly(file: bytes) -> Iterable[str]:
    """Whatever a file may name: more than that does no harm."""
    for value in _LINE.findall(file):
        name = value.decode("utf-8", "replace").strip(" \t").partition("/")[0]
        if name and name != "*":
            yield name
