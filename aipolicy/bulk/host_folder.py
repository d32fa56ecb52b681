"""A folder of one small file a host, each whole at any moment, equal ones sharing their bytes.

A file is never written in place: it is linked or renamed to its name when it is complete, so a reader, or a
process that is killed, leaves the old one or the new one. Hosts with equal contents are hard links to one
file: a million opted-out blogs take a few files of disk and of the server's page cache. They are read-only,
so that nobody edits one by hand and with it all the others.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from aipolicy.bulk.folder_layout import FILES, TDMREP, is_place_of, shard
from aipolicy.errors import AIPolicyError

STATE = ".aipolicy.json"
"""In the folder: that it is ours, and how far it is."""

DEFAULT = "default.txt"
"""In the folder: the robots.txt of hosts that are no site's."""

DEFAULT_TDMREP = "default.tdmrep.json"
"""In the folder: their tdmrep.json."""

UNFINISHED = ".unfinished"
"""What is not whole yet has this name; no host begins with a dot."""

_SOURCES = 1024  # contents that are remembered
_BATCH = 500
# A file system without hard links, and one with no more of them for this file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_INode = tuple[int, int]


class Folder:
    """The folder, held by one process at a time. Raises AIPolicyError where it holds what isn't ours.

    A context manager; whatever the system refuses is an OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._hold()
        except BaseException:
            os.close(self._handle)
            raise
        self._path = os.fspath(path)
        self._links = True
        self._sources: dict[bytes, tuple[str, _INode]] = {}
        self._source_at: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def put_default(self, body: bytes, name: str = DEFAULT) -> None:
        """Make ``body`` the file for hosts that are no site's: a 404 would mean *no rules*."""
        target = os.fspath(self.path / name)
        if self._found(target) is None or not _holds(target, body):
            self._replace(os.fspath(self.path), target, body, None)

    def put(self, host: str, body: bytes, kind: str = FILES) -> bool:
        """Make ``body`` the contents of the host's file of that kind. Whether it was not."""
        folder = f"{self._path}/{kind}/{shard(host)}"
        target = f"{folder}/{host}"
        source = self._sources.get(body) if self._links else None
        try:
            if source and self._linked(source[0], target):
                return True
            found = self._found(target)
            if found is not None and ((source and found == source[1]) or _holds(target, body)):
                self._remember(target, body, found)
                return False
            self._replace(folder, target, body, source)
        except FileNotFoundError:
            if Path(folder).is_dir():  # then it is the source that somebody took away
                self._forget(source[0] if source else target)
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._replace(folder, target, body, self._sources.get(body))
        return True

    def holds(self, host: str, kind: str = FILES) -> bytes | None:
        """The contents of the host's file of that kind, or None."""
        try:
            return Path(f"{self._path}/{kind}/{shard(host)}/{host}").read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, host: str, kind: str = FILES) -> bool:
        """Remove the host's file of that kind. Whether there was one."""
        target = f"{self._path}/{kind}/{shard(host)}/{host}"
        self._forget(target)
        try:
            if not stat.S_ISREG(os.lstat(target).st_mode):
                return False  # whatever it is, it is not ours
            Path(target).unlink()
        except FileNotFoundError:
            return False
        return True

    def sweep(self, unknown: Callable[[list[str]], set[str]]) -> int:
        """Remove the files of hosts that are ``unknown``, and nothing else; how many robots.txt."""
        self._sweep(TDMREP, unknown)
        return self._sweep(FILES, unknown)

    def _sweep(self, kind: str, unknown: Callable[[list[str]], set[str]]) -> int:
        removed, root = 0, f"{self._path}/{kind}"
        for folder in (name for name in _names(root) if len(name) <= 2):
            self._clear(f"{root}/{folder}/{UNFINISHED}")
            for hosts in self._hosts_in(root, folder):
                removed += sum(self.remove(host, kind) for host in sorted(unknown(hosts)))
            with contextlib.suppress(OSError):  # it holds something
                Path(root, folder).rmdir()
        return removed

    def _hold(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AIPolicyError(
                f"another process is writing to '{self.path}': wait until it is done"
            ) from None
        if not (self.path / STATE).exists():
            harmless = (f"{STATE}{UNFINISHED}", UNFINISHED, "lost+found")
            foreign = next((name for name in _names(os.fspath(self.path)) if name not in harmless), None)
            if foreign is not None:
                fix = "give an empty directory, or one that was written by this command"
                raise AIPolicyError(f"'{self.path}' holds {foreign!r}, which is not ours: {fix}")

    def _linked(self, source: str, target: str) -> bool:
        """Whether ``target`` is there now; False where it was there, or can't be a link."""
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        except OSError as error:
            self._no_link(error, source)
            return False
        return True

    def _no_link(self, error: OSError, source: str) -> None:
        if error.errno in _NO_LINKS:
            self._links = False
        elif error.errno == errno.EMLINK:  # ext4 has 65,000: the next copy takes the next ones
            self._forget(source)
        else:
            raise error

    def _replace(self, folder: str, target: str, body: bytes, source: tuple[str, _INode] | None) -> None:
        unfinished = f"{folder}/{UNFINISHED}"
        self._forget(target)
        self._clear(unfinished)
        if not (source and self._links and self._sources.get(body) and self._linked(source[0], unfinished)):
            # Exclusively: opening what is there could empty a file that is a link to others.
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            with open(handle, "wb", buffering=0) as file:  # noqa: PTH123
                file.write(body)
        Path(unfinished).replace(target)
        found = self._found(target)
        if found is not None:
            self._remember(target, body, found)

    def _found(self, target: str) -> _INode | None:
        """Which file is there. Raises AIPolicyError for what is none."""
        try:
            its = os.lstat(target)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(its.st_mode):
            raise AIPolicyError(f"'{target}' is no file, and not ours: move it away")
        return its.st_dev, its.st_ino

    def _remember(self, target: str, body: bytes, inode: _INode) -> None:
        if body in self._sources:
            return
        if len(self._sources) >= _SOURCES:
            self._sources.clear()
            self._source_at.clear()
        self._sources[body] = target, inode
        self._source_at[target] = body

    def _forget(self, target: str) -> None:
        body = self._source_at.pop(target, None)
        if body is not None:
            del self._sources[body]

    def _clear(self, unfinished: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            Path(unfinished).unlink()

    def _hosts_in(self, root: str, folder: str) -> Iterator[list[str]]:
        """The names of our files in one folder, some at a time."""
        ours = [name for name in _names(f"{root}/{folder}") if is_place_of(folder, name)]
        for start in range(0, len(ours), _BATCH):
            yield ours[start : start + _BATCH]


def _names(folder: str) -> list[str]:
    """What is in a folder, if it is one."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are enough, and there may be many
    except (FileNotFoundError, NotADirectoryError):
        return []


def _holds(target: str, body: bytes) -> bool:
    """Whether that file has these contents; it may be any size."""
    with open(target, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(len(body) + 1) == body
