"""Product tokens that policies name but the crawler table lacks: their fetches are judged too."""

import re
from collections.abc import Iterable, Mapping

from aipolicy.accesslog.policies.parsed_robots import ParsedRobotsCache
from aipolicy.accesslog.policies.versions import Policies, Timeline
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.crawlers import crawler_named

_CACHED = 4096  # timelines
_LINE = re.compile(rb"^[ \t\xef\xbb\xbf]*user[ -]?agent[ \t]*:([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)

Names = Mapping[str, str]
"""Product token in lower case → its spelling."""


class NamedTokens:
    """The product tokens in the policies of one host (``of``) and of all hosts (``everywhere``).

    If the policies are in a registry, ``everywhere`` only has those of ``hosts``.
    """

    def __init__(self, policies: Policies, hosts: Iterable[str] = ()) -> None:
        self._parsed = ParsedRobotsCache()
        self._memo: BoundedCache[int, tuple[Timeline, Names]] = BoundedCache(_CACHED)
        timelines = [*policies.every(), *filter(None, map(policies.timeline, hosts))]
        files = {version.robots for timeline in timelines for version in timeline.versions}
        self._spellings = _spelled(name for file in files for name in _possible_names(file))

    @property
    def everywhere(self) -> tuple[str, ...]:
        return tuple(self._spellings.values())

    def of(self, timeline: Timeline | None) -> Names:
        """Return the tokens that any version of ``timeline`` names."""
        if timeline is None:
            return {}
        kept = self._memo.get(id(timeline))
        if kept is None or kept[0] is not timeline:
            files = dict.fromkeys(version.robots for version in timeline.versions)
            names = _spelled(name for file in files for name in self._parsed.of(file).tokens)
            names = {name: self._spellings.get(name, spelling) for name, spelling in names.items()}
            kept = self._memo.keep(id(timeline), (timeline, names))
        return kept[1]


def _spelled(names: Iterable[str]) -> Names:
    """Return each name in its best spelling."""
    found: dict[str, str] = {}
    for name in {name for name in names if len(name) > 1 and crawler_named(name) is None}:
        found[name.lower()] = best_spelling((found.get(name.lower(), name), name))
    return found


def best_spelling(names: Iterable[str]) -> str:
    """Return the best of some spellings of a name: with capitals and small letters, if there is one."""
    return min(names, key=lambda name: (name.islower() or name.isupper(), name))


def _possible_names(file: bytes) -> Iterable[str]:
    """Yield all names that a file may have, found without parsing it; extra ones do no harm."""
    for value in _LINE.findall(file):
        name = value.decode("utf-8", "replace").strip(" \t").partition("/")[0]
        if name and name != "*":
            yield name
