"""A generator of every site's robots.txt and tdmrep.json, which keeps their folder up to date."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from itertools import product
from pathlib import Path

from aipolicy import atomic_file
from aipolicy.bulk.host_folder import DEFAULT_TDMREP, NOTHING_RESERVED, STATE, TDMREP, HostFolder
from aipolicy.core.checkpoint import Checkpoint
from aipolicy.core.crawlers import Scope
from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, HistoryError
from aipolicy.lookup.renderer import Renderer
from aipolicy.registry import Registry
from aipolicy.rendering import Rendering, render
from aipolicy.signals.switches import Signals

_CHECKPOINT = 50_000  # hosts between two saved states: at most as many are repeated after a crash
_BATCH = 500
_ERRORS = 20  # whose messages are kept
_LAYOUT = 1


@dataclass(frozen=True, slots=True)
class FolderState:
    """The progress of a folder, in the file ``.aipolicy.json``.

    Attributes:
        registry: Id of the registry.
        rendering: Digest of the renderings. If it or the registry changes, all files may be out of date.
        seq: The last change that all files include; None during a pass over all hosts.
        since: The last change before that pass.
        after: The last host that the pass has written.
        digest: Digest of the change ``seq`` or ``since``; see ``core.checkpoint``.
    """

    registry: str
    rendering: str
    seq: int | None = None
    since: int | None = None
    after: str = ""
    digest: str = ""
    layout: int = _LAYOUT

    @classmethod
    def read(cls, folder: Path) -> "FolderState | None":
        """Read the folder's state; None if it is new. Raises AIPolicyError."""
        path = folder / STATE
        try:
            state = cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            fix = "remove its directory, and generate it again"
            raise AIPolicyError(f"'{path}' can't be read ({error}): {fix}") from error
        if state.layout != _LAYOUT:
            fix = "upgrade aipolicy, or use another directory"
            raise AIPolicyError(f"'{path}' has layout {state.layout}, which is newer than {_LAYOUT}: {fix}")
        return state

    def save(self, folder: Path) -> None:
        """Write the state, after all files that it covers are on the disk."""
        os.sync()
        atomic_file.write_text(folder / STATE, json.dumps(asdict(self), indent=2) + "\n")


@dataclass(slots=True)
class Summary:
    """The outcome of a run.

    Attributes:
        full: True if every host was checked, not only the changes.
        seq: The last change that is included.
        failed: Number of hosts whose policy can't be used.
        errors: The reasons, for the first of them.
    """

    full: bool = False
    seq: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)


class Generator:
    """A writer that brings a folder up to date with a registry, in constant memory.

    Args:
        registry: The registry.
        folder: The folder.
        signals: The signals that the files state.
        default: The preferences of unknown hosts, in the default files.
        advance: Called with the number of hosts that were written.
    """

    def __init__(
        self,
        registry: Registry,
        folder: HostFolder,
        *,
        signals: Signals | None = None,
        default: Preset = "no-training",
        advance: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._registry, self._folder = registry, folder
        self._renderer = Renderer(signals)
        self._rendering = _rendering_digest(signals or Signals())
        self._advance = advance
        self._since_checkpoint = 0
        self._tdm = (signals or Signals()).tdm
        self._opted_out, self._unset = (
            self._files_of(self._renderer.rendering(SitePolicy.from_flag(flag))) for flag in (True, False)
        )
        self._default = self._files_of(self._renderer.rendering(SitePolicy.from_preset(default)))
        self.summary = Summary()

    def run(self, *, full: bool = False) -> Summary:
        """Write the files that are out of date.

        If the process is killed, every file is complete and the next run resumes.

        Args:
            full: Check every file, and take over the folder of another registry.

        Raises:
            AIPolicyError: The folder is another registry's, or the registry is being restored.
            OSError: The folder can't be written.
        """
        state = FolderState.read(self._folder.path)
        if state and state.registry != self._registry.registry_id and not full:
            fix = "use another directory, or --full to replace them"
            raise AIPolicyError(f"'{self._folder.path}' contains the files of another registry: {fix}")
        current = FolderState(self._registry.registry_id, self._rendering)
        known = state if state and not full and _is_of(state, current) else current
        try:
            self._update_from(known, sweep=state is not None)
        except HistoryError:  # any file may include a change that was undone
            try:
                self._update_from(current, sweep=True)
            except HistoryError:
                fix = "run this again when that is done"
                raise AIPolicyError(f"the registry is being restored from backups: {fix}") from None
        return self.summary

    def _update_from(self, known: FolderState, *, sweep: bool) -> None:
        """Update all files from the state ``known``. Raises HistoryError if the history has changed since."""
        if known.seq is None:
            self.summary.full = True
            if known.since is None:
                last = self._registry.last
                known = replace(known, since=last.seq, digest=last.digest)
            known = self._write_all(known, sweep=sweep)
        self._folder.put_default(self._default[0])
        if self._tdm:
            self._folder.put_default(self._default[1], DEFAULT_TDMREP)
        self._apply_changes(known)

    def _write_all(self, state: FolderState, *, sweep: bool) -> FolderState:
        """Write the files of every host after ``state.after``; then remove those of unknown hosts.

        A new folder has none to remove (``sweep`` is False): a host that is removed meanwhile is among the
        changes. Raises RegistryError if the registry is incomplete.
        """
        state.save(self._folder.path)
        for host, text in self._registry.texts(state.after):
            self._write(host, text)
            if self._is_due():
                state = replace(state, after=host)
                state.save(self._folder.path)
        self._registry.check_complete()
        if sweep:
            self.summary.removed += self._folder.sweep(self._unknown)
        return replace(state, seq=state.since, since=None, after="")

    def _apply_changes(self, state: FolderState) -> None:
        """Update the files of all changes since ``state``."""
        self.summary.seq = state.seq or 0
        for last, hosts in self._registry.affected(Checkpoint(self.summary.seq, state.digest)):
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
            robots, tdmrep = self._replacement(host, error)
        changed = self._folder.put(host, tdmrep, TDMREP) if self._tdm else self._folder.remove(host, TDMREP)
        if self._folder.put(host, robots) or changed:
            self.summary.written += 1
        else:
            self.summary.unchanged += 1
        self._since_checkpoint += 1
        self._advance(1)

    def _files_of(self, rendering: Rendering) -> tuple[bytes, bytes]:
        return rendering.robots.body, rendering.tdmrep.body if rendering.tdmrep else NOTHING_RESERVED

    def _replacement(self, host: str, error: Exception) -> tuple[bytes, bytes]:
        """Record the error, and return the last files if they restrict anything, else those of an opt-out."""
        self.summary.failed += 1
        if len(self.summary.errors) < _ERRORS:
            fix = "set its policy again"
            self.summary.errors.append(f"the policy of {host!r} can't be used ({error}): {fix}")
        robots, tdmrep = self._folder.read(host), self._folder.read(host, TDMREP)
        if not robots or robots == self._unset[0]:
            return self._opted_out
        return robots, tdmrep or self._opted_out[1]

    def _unknown(self, hosts: list[str]) -> set[str]:
        return set(hosts) - self._registry.texts_of(hosts).keys()

    def _is_due(self) -> bool:
        if self._since_checkpoint < _CHECKPOINT:
            return False
        self._since_checkpoint = 0
        return True


def _is_of(state: FolderState, current: FolderState) -> bool:
    return (state.registry, state.rendering) == (current.registry, current.rendering)


def _rendering_digest(signals: Signals) -> str:
    """Return a digest that changes whenever signals, crawler table or code make files different."""
    digest = blake2b(digest_size=12)
    for preset, visibility, scope in product(PRESETS, Visibility, Scope):
        rendering = render(SitePolicy.from_preset(preset, visibility=visibility, scope=scope), signals)
        digest.update(rendering.robots.body)
        digest.update(rendering.tdmrep.body if rendering.tdmrep else NOTHING_RESERVED)
    return digest.hexdigest()
