"""Every site's robots.txt and tdmrep.json into a folder, and from then on what changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from aipolicy.bulk.folder_layout import NOTHING_RESERVED, TDMREP
from aipolicy.bulk.folder_state import State, rendering_of
from aipolicy.bulk.host_folder import DEFAULT_TDMREP, Folder
from aipolicy.core.checkpoint import Mark
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError, HistoryError
from aipolicy.lookup.renderer import Renderer
from aipolicy.registry import Registry
from aipolicy.rendering import Rendering
from aipolicy.signals.switches import Signals

_CHECKPOINT = 50_000  # hosts between two states: what a kill costs the next run
_BATCH = 500
_ERRORS = 20  # kept in full


@dataclass(slots=True)
class Summary:
    """What a run did. ``failed`` hosts have a policy that can't be used; ``errors`` says why, for the first.

    ``full``: every host was looked at, not only what had changed.
    """

    full: bool = False
    seq: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)


class Writer:
    """Brings a folder up to date with a registry. Memory is flat, however many hosts there are."""

    def __init__(
        self,
        registry: Registry,
        folder: Folder,
        *,
        signals: Signals | None = None,
        advance: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._registry, self._folder = registry, folder
        self._renderer = Renderer(signals)
        self._rendering = rendering_of(signals or Signals())
        self._advance = advance
        self._since_checkpoint = 0
        self._tdm = (signals or Signals()).tdm
        self._safe, self._silent = (
            self._files_of(self._renderer.rendering(SitePolicy.from_flag(flag))) for flag in (True, False)
        )
        self.summary = Summary()

    def run(self, *, full: bool = False) -> Summary:
        """Write what is not up to date; with ``full`` look at every file.

        Raises AIPolicyError where the folder is another registry's (``full`` makes it this one's) or the
        registry is just being restored, OSError where the folder can't be written. Killed at any moment,
        every file is whole and the next run goes on.
        """
        state = State.read(self._folder.path)
        if state and state.registry != self._registry.registry_id and not full:
            fix = "give another directory, or --full to make it this registry's"
            raise AIPolicyError(f"'{self._folder.path}' has the files of another registry: {fix}")
        current = State(self._registry.registry_id, self._rendering)
        known = state if state and not full and _is_of(state, current) else current
        try:
            self._bring(known, sweep=state is not None)
        except HistoryError:  # any file may be of a change that never was
            try:
                self._bring(current, sweep=True)
            except HistoryError:
                fix = "run this again once that is over"
                raise AIPolicyError(
                    f"the registry is restored from a backup again and again: {fix}"
                ) from None
        return self.summary

    def _bring(self, known: State, *, sweep: bool) -> None:
        """From what is ``known`` up to now. Raises HistoryError where the registry isn't as it was then."""
        if known.seq is None:
            self.summary.full = True
            if known.since is None:
                last = self._registry.last
                known = replace(known, since=last.seq, digest=last.digest)
            known = self._all(known, sweep=sweep)
        self._folder.put_default(self._safe[0])
        if self._tdm:
            self._folder.put_default(self._safe[1], DEFAULT_TDMREP)
        self._changes(known)

    def _all(self, state: State, *, sweep: bool) -> State:
        """Every host, from where the last run was interrupted; then the files that are nobody's go.

        A folder that was empty has none of them: who leaves meanwhile is among the changes since. Raises
        RegistryError where the registry hasn't all of its hosts just now.
        """
        state.save(self._folder.path)
        for host, text in self._registry.texts(state.after):
            self._write(host, text)
            if self._is_due():
                state = replace(state, after=host)
                state.save(self._folder.path)
        self._registry.check_whole()
        if sweep:
            self.summary.removed += self._folder.sweep(self._unknown)
        return replace(state, seq=state.since, since=None, after="")

    def _changes(self, state: State) -> None:
        """What changed since, up to now."""
        self.summary.seq = state.seq or 0
        for last, hosts in self._registry.affected(Mark(self.summary.seq, state.digest)):
            self._update(hosts)
            self.summary.seq = last.seq
            state = replace(state, seq=last.seq, digest=last.digest)
            if self._is_due():
                state.save(self._folder.path)
        state.save(self._folder.path)

    def _update(self, hosts: Iterable[str]) -> None:
        names = sorted(hosts)
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            texts = self._registry.texts_of(batch)
            for host in batch:
                if host in texts:
                    self._write(host, texts[host])
                else:
                    self._folder.remove(host, TDMREP)
                    self.summary.removed += self._folder.remove(host)

    def _write(self, host: str, text: str) -> None:
        try:
            robots, tdmrep = self._files_of(self._renderer.read(text.encode()))
        except (AIPolicyError, ValueError, TypeError, RecursionError) as error:
            robots, tdmrep = self._instead(host, error)
        changed = self._folder.put(host, tdmrep, TDMREP) if self._tdm else self._folder.remove(host, TDMREP)
        if self._folder.put(host, robots) or changed:
            self.summary.written += 1
        else:
            self.summary.unchanged += 1
        self._since_checkpoint += 1
        self._advance(1)

    def _files_of(self, rendering: Rendering) -> tuple[bytes, bytes]:
        return rendering.robots.body, rendering.tdmrep.body if rendering.tdmrep else NOTHING_RESERVED

    def _instead(self, host: str, error: Exception) -> tuple[bytes, bytes]:
        """One bad policy stops nobody else's: the last files stand if they refuse anything, else "no"."""
        self.summary.failed += 1
        if len(self.summary.errors) < _ERRORS:
            fix = "put its policy anew"
            self.summary.errors.append(f"the policy of {host!r} can't be used ({error}): {fix}")
        robots, tdmrep = self._folder.holds(host), self._folder.holds(host, TDMREP)
        if not robots or robots == self._silent[0]:
            return self._safe
        return robots, tdmrep or self._safe[1]

    def _unknown(self, hosts: list[str]) -> set[str]:
        return set(hosts) - self._registry.texts_of(hosts).keys()

    def _is_due(self) -> bool:
        if self._since_checkpoint < _CHECKPOINT:
            return False
        self._since_checkpoint = 0
        return True


def _is_of(state: State, current: State) -> bool:
    return (state.registry, state.rendering) == (current.registry, current.rendering)
