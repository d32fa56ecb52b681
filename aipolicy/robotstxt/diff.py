"""Compare two robots.txt files by their effect: order, comments and spelling make no difference."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.coverage import binding
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.parser import Record
from aipolicy.robotstxt.sample_paths import sample_paths
from aipolicy.signals.content_usage import split_usage

_USAGE_PATHS = 8  # paths of Content-Usage lines that are compared
_WORK = 10_000_000  # rules tried on paths, roughly, for all crawlers
_PART = 20  # the cost of trying a path in one group of any length, in rules


@dataclass(frozen=True, slots=True)
class Change:
    """The changes for one crawler: paths that were closed or opened, and signals (where, before, after)."""

    closed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    signals: tuple[tuple[str, str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.closed or self.opened or self.signals)


@dataclass(frozen=True, slots=True)
class Difference:
    """One change for several crawlers; with ``others``, also for every crawler that neither file names."""

    tokens: tuple[str, ...]
    others: bool
    change: Change


def compare(before: bytes, after: bytes) -> tuple[Difference, ...]:
    """Return the changes from one robots.txt to the other, for known crawlers, named ones and all others."""
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
    paths = sample_paths(parts, max(8, min(400, most // max(1, effort))), paired=True)
    closed, opened = [], []
    for path in paths:
        old, new = before.rules.decide(path).allowed, after.rules.decide(path).allowed
        if old and not new:
            closed.append(path)
        elif new and not old:
            opened.append(path)
    return Change(tuple(closed), tuple(opened), tuple(_signals(before, after)))


def _signals(before: Binding, after: Binding) -> Iterator[tuple[str, str, str]]:
    old, new = (
        ", ".join(f"{key}={value}" for key, value in sorted(binding.content_signals().items()))
        for binding in (before, after)
    )
    if old != new:
        yield "Content-Signal", old, new
    records = (*before.content.signals, *after.content.signals)
    for path in ("/2026/a-post", *_usage_paths(records)):
        old, new = (str(binding.usage_preferences(path)) for binding in (before, after))
        if old != new:
            yield f"Content-Usage at {path}", old, new


def _usage_paths(records: Iterable[Record]) -> list[str]:
    paths = (split_usage(record.value)[0] for record in records if record.named("Content-Usage"))
    samples = (normalise(p.replace("*", "x").removesuffix("$")) for p in paths if p)
    return list(dict.fromkeys(samples))[:_USAGE_PATHS]
