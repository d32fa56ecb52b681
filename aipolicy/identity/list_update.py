"""Refresh the file of lists: each list that can be read anew is; of the others the last good copy stays."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import anyio

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.identity.atomic_file import held, settled, write_whole
from aipolicy.identity.list_fetch import PAGES, Fetched, Result, Target, fetch_all
from aipolicy.identity.list_history import merged, tokens_of, until, with_reading
from aipolicy.identity.operator_lists import AddressList, Ranges, packaged_ranges
from aipolicy.identity.prefixes import Network
from aipolicy.identity.proxies import PROXY_OF
from aipolicy.identity.ranges_file import RangesFile, Validators
from aipolicy.web.fetcher import Fetcher

_SECONDS = 20.0  # of one list


class State(StrEnum):
    """What became of a list."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BY_HAND = "by hand"
    """A page for people: not fetched."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one list: ``date`` is the day of the copy that is kept now, or None; ``reason`` why it failed."""

    target: Target
    state: State
    date: dt.date | None
    prefixes: int
    came: int = 0
    gone: int = 0
    reason: str | None = None


def default_targets(ranges: Ranges) -> tuple[Target, ...]:
    """The lists of crawlers and proxies, and those that only ``ranges`` has, by operator and URL."""
    operators = {url: proxy.operator for url, proxy in PROXY_OF.items()}
    operators |= {each.urls[0]: each.operator for each in ranges.current if len(each.urls) == 1}
    operators |= {url: crawler.operator for crawler in CRAWLERS for url in crawler.ranges}
    found = (Target(url, operator) for url, operator in operators.items())
    return tuple(sorted(found, key=lambda target: (target.operator.lower(), target.url)))


def update(
    path: Path,
    *,
    targets: Iterable[Target] | None = None,
    accept: bool = False,
    today: dt.date | None = None,
    fetcher: Callable[[], Fetcher] = lambda: Fetcher(seconds=_SECONDS),
    waiting: Callable[[str], None] = lambda note: None,
    advance: Callable[[int], None] = lambda lists: None,
) -> list[Outcome]:
    """Fetch ``targets`` (None: all) into the file ``path``; another process that does waits for its turn.

    Without the file its beginning is the package's snapshot. A list counts as failed that lost most of its
    prefixes, or was read on a later day than ``today``, unless ``accept``. Raises RangesError where the file
    is damaged, or can't be written.
    """
    path = settled(path)
    with held(path, waiting):
        kept = RangesFile.read(path) if path.exists() else RangesFile(packaged_ranges())
        state = _Update(merged(kept.ranges, packaged_ranges()), dict(kept.validators), accept, today)
        # A server is asked for what changed only where what it is compared with is what it gave.
        validators = {
            url: each
            for url, each in kept.validators.items()
            if (day := kept.ranges.read_on(url)) is not None and day == state.ranges.read_on(url)
        }
        targets = default_targets(state.ranges) if targets is None else tuple(targets)

        def fetched(target: Target, result: Result) -> None:
            state.take(target, result)
            advance(1)

        for target in targets:
            if target.url in PAGES:
                state.outcomes[target] = state.outcome(target, State.BY_HAND)
                advance(1)
        wanted = [target for target in targets if target.url not in PAGES]
        anyio.run(fetch_all, wanted, validators, fetcher, fetched)
        if any(each.state not in (State.FAILED, State.BY_HAND) for each in state.outcomes.values()):
            write_whole(path, RangesFile(state.ranges, state.validators).to_json())
    return [state.outcomes[target] for target in targets]


class _Update:
    """The lists while they are refreshed."""

    def __init__(
        self, ranges: Ranges, validators: dict[str, Validators], accept: bool, today: dt.date | None
    ) -> None:
        self.ranges = ranges
        self.validators = validators
        self.outcomes: dict[Target, Outcome] = {}
        self._accept = accept
        self._today = today or dt.datetime.now(dt.UTC).date()

    def take(self, target: Target, result: Result) -> None:
        """Take in what came of a list."""
        if not isinstance(result, Fetched):
            self.outcomes[target] = self.outcome(target, State.FAILED, reason=str(result))
            return
        last = self.ranges.read_on(target.url)
        if last is not None and last > self._today and not self._accept:
            asked = "is this machine's clock right? If it is, --accept puts this reading in that one's place"
            reason = f"{target.url} was read on {last} already: {asked}"
            self.outcomes[target] = self.outcome(target, State.FAILED, reason=reason)
            return
        self.ranges = until(self.ranges, target.url, self._today)
        before = {net for part in self.ranges.of_url(target.url) for net in part.prefixes}
        after = before if result.prefixes is None else set(result.prefixes)
        if not self._accept and (lost := _lost(before, after)):
            reason = (
                f"{target.url} has {len(after)} prefixes, and {lost} are missing of {len(before)} that it had"
            )
            self.outcomes[target] = self.outcome(target, State.FAILED, reason=reason)
            return
        read = AddressList(
            urls=(target.url,),
            operator=target.operator,
            tokens=tokens_of((target.url,)),
            date=self._today,
            source=result.source,
            superseded=None,
            prefixes=tuple(sorted(after, key=lambda net: (net.version, int(net.network_address)))),
        )
        self.ranges = with_reading(self.ranges, read)
        self.validators[target.url] = result.validators
        changed = State.UNCHANGED if after == before else State.CHANGED
        self.outcomes[target] = self.outcome(
            target, changed if before else State.NEW, came=len(after - before), gone=len(before - after)
        )

    def outcome(
        self, target: Target, state: State, *, came: int = 0, gone: int = 0, reason: str | None = None
    ) -> Outcome:
        prefixes = sum(len(part.prefixes) for part in self.ranges.of_url(target.url))
        return Outcome(target, state, self.ranges.read_on(target.url), prefixes, came, gone, reason)


def _lost(before: set[Network], after: set[Network]) -> int:
    """Return the number of missing prefixes, where that is all, or most and little came instead; else 0.

    All of them at once, with as many others instead, is what another operator's list at that URL looks like.
    """
    wider = {net.supernet(new_prefix=length) for net in before for length in range(net.prefixlen)} & after
    missing = [net for net in before if net not in after and not any(_holds(each, net) for each in wider)]
    most_of_it = 2 * len(missing) > len(before) and 2 * len(after) < len(before)
    return len(missing) if most_of_it or len(missing) == len(before) else 0


def _holds(wide: Network, net: Network) -> bool:
    return wide.version == net.version and net.network_address in wide
