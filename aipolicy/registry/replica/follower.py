"""The follower: it fills the replica if needed, then applies each change as the registry made it."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from aipolicy.errors import RegistryError
from aipolicy.file_lock import FileLock
from aipolicy.forks import survive_forks
from aipolicy.registry.replica.file import (
    DamagedError,
    FileIdentity,
    ReplacedError,
    ReplicaFile,
    has_foreign_log,
    open_replica,
    require_removable,
)
from aipolicy.registry.replica.initial_copy import Progress, StoppedError, fill
from aipolicy.registry.replica.source import Source
from aipolicy.registry.replica.status import FollowerStatus, logger

_PAGE = 1000  # changes in one transaction
_HEARTBEAT = 1.0  # seconds between two writes of the status without changes
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 2.0  # seconds between two tries
_LOCK_POLL = 0.25  # seconds between two tries to take the lock
_DAMAGE = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_FIXES = {
    sqlite3.SQLITE_FULL: "free space on the disk",
    sqlite3.SQLITE_READONLY: "check its permissions; its directory must be the follower's own",
    sqlite3.SQLITE_CANTOPEN: "check the path, and the permissions of its directory",
    sqlite3.SQLITE_IOERR: "check the disk and its free space",
}


@contextmanager
def _no_progress(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda rows: None


class FollowedError(RegistryError):
    """Another process follows into the file."""


class Replica:
    """A follower that keeps a SQLite copy of a PostgreSQL registry up to date.

        with Replica("postgresql://db/blogs", "replica.db", wait=True):  # in a thread, until the end
            lookup = LocalLookup("replica.db")

    Failures are logged when they begin, each minute, and when they end; the file stays as it is meanwhile.
    The table ``replica`` in it has the status. An instance runs once. If the process forks, as servers with
    workers do, the parent continues to follow.

    Args:
        registry: Address of the registry.
        to: The file. Only the follower may write it and its lock, ``FILE.lock``.
        poll: Seconds between two polls of the registry; a change with a notification is fetched at once.
        wait: If another process follows into this file, take over when it ends.
        progress: Display of the progress of a copy: see ``initial_copy.Progress``.
        clock: Returns the time for other processes, in seconds since the epoch.

    Raises:
        RegistryURLError, MissingExtraError: The registry can't be followed.
    """

    def __init__(
        self,
        registry: str,
        to: str | Path,
        *,
        poll: float = 0.25,
        wait: bool = False,
        progress: Progress = _no_progress,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = Source(registry)
        self._path = Path(to).absolute()
        self._poll, self._wait, self._progress = poll, wait, progress
        self._status = FollowerStatus(self._source.name, self._path, clock)
        self._lock = FileLock(self._path.with_name(f"{self._path.name}.lock"))
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._file: ReplicaFile | None = None
        self._known: FileIdentity | None = None  # the file that was opened last
        self._damaged = False  # the file at the path is of no use
        self._status_written = 0.0
        self._delay = 0.0
        survive_forks(self)

    def after_fork(self) -> None:
        """Stop in a child: the parent follows, with its connection, file and lock."""
        self._thread = None
        self._stopping = threading.Event()
        self._stopping.set()
        self._source.leave_to_parent()
        if self._file is not None:
            self._file.close_in_child()
            self._file = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run_in_thread, name="aipolicy-replica", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Let ``run`` return soon. For other threads and signal handlers."""
        self._stopping.set()
        self._source.interrupt()  # it may be waiting for an answer

    def run(self) -> None:
        """Follow until ``stop`` is called.

        Raises:
            RegistryError: Another process follows into the file, or it isn't a replica.
        """
        try:
            if not self._take():
                return
            with suppress(OSError, sqlite3.Error, DamagedError):  # raised and reported again below
                self._open()
            if self._file is not None:
                logger.info("the replica %s resumes after change %d", self._path, self._file.seq)
            while not self._stopping.is_set():
                self._try()
        finally:
            self._close()
            self._lock.release()

    def _run_in_thread(self) -> None:
        try:
            self.run()
        except Exception:
            logger.exception("the follower of the replica %s ended", self._path)

    def _try(self) -> None:
        """Follow until something fails; record it, and wait a little."""
        try:
            if not self._lock.is_held():
                self._close()  # another process may have the lock and the file by now
                if not self._take():
                    return
                logger.info("the lock %s was deleted, and is created again", self._lock.path)
            with self._source as source:
                self._follow(source)
        except StoppedError:
            pass
        except FollowedError:
            raise
        except ReplacedError:
            # Even an older copy of the file is useless: the log next to it is not its own.
            self._close()
            self._damaged = True
            self._failed(f"another file took the place of the replica {self._path}: it is filled again")
        except RegistryError as error:
            self._failed(str(error))
        except (DamagedError, OSError, sqlite3.Error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            damaged = isinstance(error, DamagedError) or code in _DAMAGE
            damaged = damaged or has_foreign_log(self._path, error)
            if code != sqlite3.SQLITE_FULL:  # which leaves the file as it was
                self._close()
            self._damaged = self._damaged or damaged
            fix = "it is filled again" if damaged else _FIXES.get(code, "check the file and its disk")
            self._failed(f"the replica {self._path} can't be used ({error}): {fix}")

    def _failed(self, message: str) -> None:
        if self._stopping.is_set():
            return
        self._status.failed(message)
        if self._file is not None:
            with suppress(OSError, sqlite3.Error):  # the failure is in the log anyway
                self._file.set_status(self._status.row(up_to_date=False))
        self._delay = min(self._delay * 2 or _FIRST_DELAY, _LONGEST_DELAY)
        self._stopping.wait(self._delay * random.uniform(0.75, 1.25))  # noqa: S311 - spreads the machines

    def _follow(self, source: Source) -> None:
        if self._file is None and not self._damaged:
            with suppress(DamagedError):
                self._open()
        while not self._is_over():
            reason = "there is no valid file" if self._file is None else self._catch_up(source, self._file)
            if reason:
                self._fill(source, reason)
            else:
                self._delay = 0.0
                source.wait(self._poll)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or not self._lock.is_held()

    def _take(self) -> bool:
        """Take the lock; return False only if ``stop`` was called meanwhile. Raises RegistryError."""
        logged = False
        while not self._stopping.is_set():
            try:
                holder = self._lock.acquire()
            except OSError as error:
                fix = "check the path, and the permissions of its directory"
                reason = error.strerror or error
                raise RegistryError(f"'{self._lock.path}' can't be created ({reason}): {fix}") from None
            if holder is None:
                return True
            if not self._wait:
                fix = "stop that one, or use --wait to take over when it ends"
                raise FollowedError(f"'{self._path}' is followed by {holder} already: {fix}")
            if not logged:
                logger.info("'%s' is followed by %s: waiting for it to end", self._path, holder)
                logged = True
            self._stopping.wait(_LOCK_POLL)
        return False

    def _catch_up(self, source: Source, file: ReplicaFile) -> str:
        """Apply new changes; return the reason if the file must be filled again instead."""
        file.check()
        state = source.state()
        if state.registry_id != file.registry_id:
            return f"it is a copy of registry {file.registry_id}, not of {state.registry_id}"
        latest = state.last.seq
        if latest < file.seq:
            if state.standby and file.has(state.last):  # the primary will send it the rest
                fix = "wait for it, or follow the primary"
                raise RegistryError(f"registry '{source.name}' is a standby, and behind the replica: {fix}")
            return f"it has change {file.seq}, and the registry went back to {latest}"
        self._status.answered(latest)
        while file.last != state.last and file.seq <= latest and not self._stopping.is_set():
            changes = file.last.changes_after(source.changes(file.seq, _PAGE + 1))
            if changes is None:
                return f"the registry has another change {file.seq}"
            if not changes:
                return f"the registry has no change {file.seq + 1}"
            file.apply(changes, self._status.row(up_to_date=changes[-1][0] >= latest))
            self._status_written = time.monotonic()
            self._status.catching_up(file.seq)
        if file.seq >= latest:
            # Written first: if that fails, the trouble isn't over.
            if self._status.trouble or time.monotonic() - self._status_written >= _HEARTBEAT:
                file.set_status(self._status.row(up_to_date=True))
                self._status_written = time.monotonic()
            self._status.up_to_date(file.seq)
        return ""

    def _fill(self, source: Source, reason: str) -> None:
        began = time.monotonic()
        if self._file is None:
            require_removable(self._path, self._known)
        fill(
            source,
            self._path,
            current=self._file,
            known=self._known,
            reason=reason,
            progress=self._progress,
            status=self._status.row_of_copy,
            stopped=self._is_over,
        )
        self._close()
        self._damaged = False
        self._open()
        seq = self._file.seq if self._file else 0
        logger.info("filled the replica up to change %d in %.1f s", seq, time.monotonic() - began)

    def _open(self) -> None:
        self._file = open_replica(self._path)
        if self._file is not None:
            self._known = self._file.identity
            self._status.opened(self._file.seq, self._file.level_at)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
