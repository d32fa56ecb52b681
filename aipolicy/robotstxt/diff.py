"""Two files compared by their effect: order, comments and spelling make no difference."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.coverage import binding
from aipolicy.robotstxt.matching import Binding, Content, content_signals
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt
from aipolicy.robotstxt.sample_paths import probes

_USAGE_PATHS = 8  # of Content-Usage lines that are tried
_WORK = 10_000_000  # rules tried on paths, roughly, for all crawlers
_PART = 20  # rules that it takes as long to try as a path takes in one group, however long


@dataclass(frozen=True, slots=True)
class Change:
    """What one crawler may fetch otherwise: sample paths. ``signals``: (where, before, after)."""

    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    signals: tuple[tuple[str, str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.closed or self.opened or self.signals)


@dataclass(frozen=True, slots=True)
class Difference:
    """The same change for several crawlers. ``others``: for every crawler that neither file names, too."""

    tokens: tuple[str, ...]
    others: bool
    change: Change


def compare(before: bytes, after: bytes) -> tuple[Difference, ...]:
    """What changes from one robots.txt to the other: for known crawlers, those named, and all others."""
    one, other = ParsedFile.read(before), ParsedFile.read(after)
    named = {t.lower(): t for t in (*other.index.tokens, *one.index.tokens)}
    named |= {crawler.product_token.lower(): crawler.product_token for crawler in CRAWLERS}
    known: dict[tuple[Content, Content], Change] = {}  # one group may have ten thousand tokens
    alike: dict[Change, list[str]] = {}
    pairs = len({(one.index.bound(t).content, other.index.bound(t).content) for t in (UNNAMED, *named)})
    most = _WORK // pairs
    for token in (UNNAMED, *sorted(named.values(), key=str.lower)):
        bounds = binding(one, token), binding(other, token)
        contents = bounds[0].content, bounds[1].content
        if contents not in known:
            known[contents] = _change(*bounds, most)
        if known[contents]:
            alike.setdefault(known[contents], []).append(token)
    return tuple(
        Difference(tuple(token for token in tokens if token != UNNAMED), UNNAMED in tokens, change)
        for change, tokens in alike.items()
    )


def _change(before: Binding, after: Binding, most: int) -> Change:
    parts = [part.rules for content in (before.content, after.content) for part in content.parts]
    effort = _PART * len(parts) + (before.content.wildcard_size + after.content.wildcard_size) // 50
    paths = probes(parts, max(8, min(400, most // max(1, effort))), paired=True)
    closed, opened = [], []
    for path in paths:
        was, is_now = before.rules.decide(path).allowed, after.rules.decide(path).allowed
        if was and not is_now:
            closed.append(path)
        elif is_now and not was:
            opened.append(path)
    return Change(tuple(closed), tuple(opened), tuple(_signals(before, after)))


def _signals(before: Binding, after: Binding) -> Iterator[tuple[str, str, str]]:
    one, other = _alone(before), _alone(after)
    said = [", ".join(f"{k}={v}" for k, v in sorted(content_signals(r, "*").items())) for r in (one, other)]
    if said[0] != said[1]:
        yield "Content-Signal", said[0], said[1]
    records = (*before.content.signals, *after.content.signals)
    for path in ("/2026/a-post", *_usage_paths(records)):
        usage = [_usage(bound, path) for bound in (before, after)]
        if usage[0] != usage[1]:
            yield f"Content-Usage at {path}", usage[0], usage[1]


def _usage(bound: Binding, path: str) -> str:
    """What Content-Usage says of ``path``: nothing where it may not be fetched (attach-05 §3)."""
    return str(bound.content.usage.preferences(path)) if bound.rules.decide(path).allowed else ""


def _alone(bound: Binding) -> RobotsTxt:
    """A file that says to everyone what the signals say that bind some."""
    return RobotsTxt((Group(("*",), tuple(bound.content.signals)),))


def _usage_paths(records: Iterable[object]) -> list[str]:
    paths = (
        re.split("[ \t]", r.value)[0]
        for r in records
        if isinstance(r, Record) and r.named("Content-Usage") and r.value
    )
    samples = (normalise(p.replace("*", "x").removesuffix("$")) for p in paths if p.startswith("/"))
    return list(dict.fromkeys(samples))[:_USAGE_PATHS]
