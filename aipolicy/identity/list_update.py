"""Update of the file of address lists. If a list can't be read, its last good copy stays."""

import datetime as dt
import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import anyio

from aipolicy import atomic_file
from aipolicy.core.crawlers import CRAWLERS
from aipolicy.errors import RangesError
from aipolicy.file_lock import FileLock
from aipolicy.identity.list_fetch import PAGES, Fetched, FetchResult, Target, fetch_all
from aipolicy.identity.list_history import merged, tokens_of, with_reading, without_later_days
from aipolicy.identity.operator_lists import AddressList, Ranges, packaged_ranges
from aipolicy.identity.prefixes import Network
from aipolicy.identity.proxies import PROXY_OF
from aipolicy.identity.ranges_file import RangesFile, Validators
from aipolicy.web.fetcher import Fetcher

_TIMEOUT = 20.0  # seconds for one list
_LOCK_INTERVAL = 0.1  # seconds between two attempts to acquire the lock


class UpdateState(StrEnum):
    """The result of updating one list."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    BY_HAND = "by hand"
    """A web page that is read by hand: not fetched."""


@dataclass(frozen=True, slots=True)
class UpdateOutcome:
    """The result of updating one list, for reports.

    Attributes:
        target: The list.
        state: The result.
        date: The day of the copy that is in the file now, or None.
        prefixes: The number of its prefixes.
        came: The number of added prefixes.
        gone: The number of removed prefixes.
        reason: The reason if the update failed.
    """

    target: Target
    state: UpdateState
    date: dt.date | None
    prefixes: int
    came: int = 0
    gone: int = 0
    reason: str | None = None


def default_targets(ranges: Ranges) -> tuple[Target, ...]:
    """Return the lists of all crawlers and proxies, and others in ``ranges``, sorted by operator and URL."""
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
    fetcher: Callable[[], Fetcher] = lambda: Fetcher(seconds=_TIMEOUT),
    waiting: Callable[[str], None] = lambda note: None,
    advance: Callable[[int], None] = lambda lists: None,
) -> list[UpdateOutcome]:
    """Fetch lists and write them to a file, one process at a time.

    Args:
        path: The file. If it doesn't exist, it starts as a copy of the packaged lists.
        targets: The lists to fetch; by default all.
        accept: Accept a list that lost most of its prefixes, or that was last read on a day after ``today``.
            Otherwise its update fails.
        today: The day of the reading; by default today in UTC.
        fetcher: Returns the HTTP client.
        waiting: Called with a message if another process is updating the file.
        advance: Called with 1 after each list.

    Raises:
        RangesError: The file is invalid, or can't be written.
    """
    path = resolve_target(path)
    with exclusive_lock(path, waiting):
        file = RangesFile.read(path) if path.exists() else RangesFile(packaged_ranges())
        state = _Update(merged(file.ranges, packaged_ranges()), dict(file.validators), accept, today)
        # A conditional request is only correct if our copy is the response that the validators are from.
        validators = {
            url: each
            for url, each in file.validators.items()
            if (day := file.ranges.read_on(url)) is not None and day == state.ranges.read_on(url)
        }
        targets = default_targets(state.ranges) if targets is None else tuple(targets)

        def fetched(target: Target, result: FetchResult) -> None:
            state.take(target, result)
            advance(1)

        for target in targets:
            if target.url in PAGES:
                state.outcomes[target] = state.outcome(target, UpdateState.BY_HAND)
                advance(1)
        wanted = [target for target in targets if target.url not in PAGES]
        anyio.run(fetch_all, wanted, validators, fetcher, fetched)
        if any(
            each.state not in (UpdateState.FAILED, UpdateState.BY_HAND) for each in state.outcomes.values()
        ):
            write_file(path, RangesFile(state.ranges, state.validators).to_json())
    return [state.outcomes[target] for target in targets]


class _Update:
    """The state of an update."""

    def __init__(
        self, ranges: Ranges, validators: dict[str, Validators], accept: bool, today: dt.date | None
    ) -> None:
        self.ranges = ranges
        self.validators = validators
        self.outcomes: dict[Target, UpdateOutcome] = {}
        self._accept = accept
        self._today = today or dt.datetime.now(dt.UTC).date()

    def take(self, target: Target, result: FetchResult) -> None:
        """Add the result of one list."""
        if not isinstance(result, Fetched):
            self.outcomes[target] = self.outcome(target, UpdateState.FAILED, reason=str(result))
            return
        last = self.ranges.read_on(target.url)
        if last is not None and last > self._today and not self._accept:
            fix = "check this machine's clock; if it is right, use --accept to replace that reading"
            reason = f"{target.url} was already read on {last}, which is in the future: {fix}"
            self.outcomes[target] = self.outcome(target, UpdateState.FAILED, reason=reason)
            return
        self.ranges = without_later_days(self.ranges, target.url, self._today)
        before = {net for part in self.ranges.of_url(target.url) for net in part.prefixes}
        after = before if result.prefixes is None else set(result.prefixes)
        if not self._accept and (lost := _lost(before, after)):
            missing = f"{lost} of the {len(before)} before are missing"
            reason = f"{target.url} has {len(after)} prefixes now, and {missing}"
            self.outcomes[target] = self.outcome(target, UpdateState.FAILED, reason=reason)
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
        changed = UpdateState.UNCHANGED if after == before else UpdateState.CHANGED
        self.outcomes[target] = self.outcome(
            target, changed if before else UpdateState.NEW, came=len(after - before), gone=len(before - after)
        )

    def outcome(
        self, target: Target, state: UpdateState, *, came: int = 0, gone: int = 0, reason: str | None = None
    ) -> UpdateOutcome:
        prefixes = sum(len(part.prefixes) for part in self.ranges.of_url(target.url))
        return UpdateOutcome(target, state, self.ranges.read_on(target.url), prefixes, came, gone, reason)


def _lost(before: set[Network], after: set[Network]) -> int:
    """Return the number of missing prefixes if all are missing, or most and few were added; else 0.

    If all are missing and as many were added, the URL may have another operator's list.
    """
    wider = {net.supernet(new_prefix=length) for net in before for length in range(net.prefixlen)} & after
    missing = [net for net in before if net not in after and not any(_holds(each, net) for each in wider)]
    most_of_it = 2 * len(missing) > len(before) and 2 * len(after) < len(before)
    return len(missing) if most_of_it or len(missing) == len(before) else 0


def _holds(wide: Network, net: Network) -> bool:
    return wide.version == net.version and net.network_address in wide


def resolve_target(path: Path) -> Path:
    """Return the file to replace: if ``path`` is a link, the file that it points to.

    Raises:
        RangesError: ``path`` is a directory, or can't be resolved.
    """
    try:
        found = path.resolve()
        if found.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from None
    return found


def make_directory(path: Path) -> None:
    """Create a directory if it is missing, for this user only (XDG Base Directory Specification).

    Raises:
        RangesError: It can't be created.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _write_error(path, error) from None


@contextmanager
def exclusive_lock(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock for writing ``path``; the system releases it if the process is killed.

    Args:
        path: The file.
        waiting: Called with a message if another process holds the lock.

    Raises:
        RangesError: The lock file can't be created.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        holder = lock.acquire()
        if holder:
            waiting(f"'{path}' is being updated by {holder}; waiting until it has finished")
        while holder:
            time.sleep(_LOCK_INTERVAL)
            holder = lock.acquire()
    except OSError as error:
        raise _write_error(lock.path, error) from None
    try:
        yield
    finally:
        lock.release()


def write_file(path: Path, text: str) -> None:
    """Replace a file atomically.

    Raises:
        RangesError: It can't be written.
    """
    try:
        atomic_file.write_text(path, text)
    except OSError as error:
        raise _write_error(path, error) from None


def _write_error(path: Path, error: OSError | ValueError) -> RangesError:
    fix = "check the path, its permissions and the free disk space"
    return RangesError(f"'{path}' can't be written ({getattr(error, 'strerror', None) or error}): {fix}")
