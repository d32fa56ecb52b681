"""The follower: fills the replica where that is due, then makes each change as the registry made it."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from aipolicy.errors import RegistryError
from aipolicy.forks import survive_forks
from aipolicy.registry.replica.file import (
    DamagedError,
    Identity,
    ReplacedError,
    ReplicaFile,
    claim,
    existing,
    is_shut_out,
)
from aipolicy.registry.replica.initial_copy import Progress, StoppedError, fill
from aipolicy.registry.replica.lock import FollowedError, Lock
from aipolicy.registry.replica.source import Source
from aipolicy.registry.replica.status import Standing, logger

_PAGE = 1000  # changes in one transaction
_HEARTBEAT = 1.0  # seconds between two notes that nothing happened
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 2.0  # seconds between two tries
_RUINED = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_FIXES = {
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_READONLY: "check who may write it; its directory must be the follower's own",
    sqlite3.SQLITE_CANTOPEN: "check the path, and who may write in its directory",
    sqlite3.SQLITE_IOERR: "check the disk, and whether it is full",
}


@contextmanager
def _silently(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda rows: None


class Replica:
    """Follows a PostgreSQL registry into a SQLite file. Raises RegistryURLError, MissingExtraError.

        with Replica("postgresql://db/blogs", "replica.db", wait=True):  # in a thread, until the end
            lookup = LocalLookup("replica.db")

    ``registry``  the registry's address.
    ``to``        the file. It and its lock, ``FILE.lock``, are the follower's alone.
    ``poll``      seconds between two looks at the registry; a change that is notified is fetched at once.
    ``wait``      where another process follows into this file, take over when it ends.
    ``progress``  shows a fill: see ``filling.Progress``.

    What keeps it from following is told in the log when it begins, each minute, and when it ends; the file
    stays as it is meanwhile. The table ``replica`` in it says how far it is. For one run. Where a process
    forks, as servers with workers do, the parent follows on.
    """

    def __init__(
        self,
        registry: str,
        to: str | Path,
        *,
        poll: float = 0.25,
        wait: bool = False,
        progress: Progress = _silently,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = Source(registry)
        self._path = Path(to).absolute()
        self._poll, self._wait, self._progress = poll, wait, progress
        self._standing = Standing(self._source.name, self._path, clock)
        self._lock = Lock(self._path)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._file: ReplicaFile | None = None
        self._known: Identity | None = None  # the file that was opened last
        self._ruined = False  # what is at the path is of no use
        self._noted = 0.0
        self._delay = 0.0
        survive_forks(self)

    def after_fork(self) -> None:
        """In a child nothing follows: its parent does, with its connection, its file and its lock."""
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
        self._source.interrupt()  # it may wait for an answer that never comes

    def run(self) -> None:
        """Follow until ``stop``. Raises RegistryError where another one follows, or the file isn't ours."""
        try:
            if not self._take():
                return
            with suppress(OSError, sqlite3.Error, DamagedError):  # met and told again below
                self._open()
            if self._file is not None:
                logger.info("the replica %s goes on from change %d", self._path, self._file.seq)
            while not self._stopping.is_set():
                self._try()
        finally:
            self._close()
            self._lock.release()

    def _run_in_thread(self) -> None:
        try:
            self.run()
        except Exception:
            logger.exception("the replica %s is not followed", self._path)

    def _try(self) -> None:
        """Follow until something goes wrong; tell it, and wait a little."""
        try:
            if not self._lock.is_held():
                self._close()  # another one may have taken it and the file by now
                if not self._take():
                    return
                logger.info("the lock %s was deleted, and is made anew", self._lock.path)
            with self._source as source:
                self._follow(source)
        except StoppedError:
            pass
        except FollowedError:
            raise
        except ReplacedError:
            # Even an older copy of it is of no use: with the log that is beside it, it is neither.
            self._close()
            self._ruined = True
            self._failed(f"another file took the place of the replica {self._path}: it is filled anew")
        except RegistryError as error:
            self._failed(str(error))
        except (DamagedError, OSError, sqlite3.Error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            ruined = isinstance(error, DamagedError) or code in _RUINED or is_shut_out(self._path, error)
            if code != sqlite3.SQLITE_FULL:  # then it is as it was
                self._close()
            self._ruined = self._ruined or ruined
            fix = "it is filled anew" if ruined else _FIXES.get(code, "check the file and its disk")
            self._failed(f"the replica {self._path} can't be used ({error}): {fix}")

    def _failed(self, message: str) -> None:
        if self._stopping.is_set():
            return
        self._standing.failed(message)
        if self._file is not None:
            with suppress(OSError, sqlite3.Error):  # it is told in the log anyway
                self._file.note(self._standing.note(level=False))
        self._delay = min(self._delay * 2 or _FIRST_DELAY, _LONGEST_DELAY)
        self._stopping.wait(self._delay * random.uniform(0.75, 1.25))  # noqa: S311 - machines not all at once

    def _follow(self, source: Source) -> None:
        if self._file is None and not self._ruined:
            with suppress(DamagedError):
                self._open()
        while not self._is_over():
            why = "there is none" if self._file is None else self._caught_up(source, self._file)
            if why:
                self._fill(source, why)
            else:
                self._delay = 0.0
                source.wait(self._poll)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or not self._lock.is_held()

    def _take(self) -> bool:
        return self._lock.take(wait=self._wait, stopping=self._stopping, waiting=logger.info)

    def _caught_up(self, source: Source, file: ReplicaFile) -> str:
        """Make what is new; or say why that can't be."""
        file.check()
        state = source.state()
        if state.registry_id != file.registry_id:
            return f"it is of registry {file.registry_id}, and this is {state.registry_id}"
        latest = state.last.seq
        if latest < file.seq:
            if state.standby and file.has(state.last):  # what it lacks is on its way to it
                fix = "it is waited for; name the primary to follow without it"
                raise RegistryError(f"registry '{source.name}' is a standby, and behind the replica: {fix}")
            return f"it has change {file.seq}, and the registry went back to {latest}"
        self._standing.answered(latest)
        while file.last != state.last and file.seq <= latest and not self._stopping.is_set():
            changes = file.last.behind(source.changes(file.seq, _PAGE + 1))
            if changes is None:
                return f"the registry has another change {file.seq}"
            if not changes:
                return f"the registry has no change {file.seq + 1}"
            file.apply(changes, self._standing.note(level=changes[-1][0] >= latest))
            self._noted = time.monotonic()
            self._standing.behind(file.seq)
        if file.seq >= latest:
            # Noted first: what can't be written is trouble, and no reason to say that it is over.
            if self._standing.trouble or time.monotonic() - self._noted >= _HEARTBEAT:
                file.note(self._standing.note(level=True))
                self._noted = time.monotonic()
            self._standing.level(file.seq)
        return ""

    def _fill(self, source: Source, why: str) -> None:
        began = time.monotonic()
        if self._file is None:
            claim(self._path, self._known)
        fill(
            source,
            self._path,
            in_place_of=self._file,
            known=self._known,
            why=why,
            progress=self._progress,
            note=self._standing.filling,
            stopped=self._is_over,
        )
        self._close()
        self._ruined = False
        self._open()
        seq = self._file.seq if self._file else 0
        logger.info("it is filled up to change %d, in %.1f s", seq, time.monotonic() - began)

    def _open(self) -> None:
        self._file = existing(self._path)
        if self._file is not None:
            self._known = self._file.identity
            self._standing.begin(self._file.seq, self._file.level_at)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
