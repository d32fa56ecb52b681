"""A folder with one small file per host, which a static server finds by the Host header alone.

The subfolder is the last two characters of the host's first label, without a leading ``www.``::

    DIR/robots/og/blog.example
    DIR/robots/og/www.blog.example
    DIR/robots/42/blog-1042.platform.example
    DIR/tdmrep/og/blog.example

One level of some 1,400 folders holds ten million hosts with a few thousand in each. The ends of labels are
distributed more evenly than their beginnings (``blog-1``, ``blog-2`` ...), and unlike a hash, a server can
compute them with a regular expression. One file per host, without a folder of its own, halves the inodes.

Hosts with equal contents are hard links to one file: a million opted-out blogs take a few files on the disk
and in the server's page cache. They are read-only, because editing one would change all the others. A file is
never written in place, but linked or renamed when it is complete, so that readers, and a crash, find the old
or the new one. Unlike ``atomic_file`` it doesn't wait for the disk after each file: the generator's
checkpoint does so for all files at once.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from aipolicy.atomic_file import unfinished_path
from aipolicy.core.hosts import canonical_host
from aipolicy.errors import AIPolicyError
from aipolicy.file_lock import FileLock

FILES = "robots"
"""Folder in DIR of the robots.txt files."""

TDMREP = "tdmrep"
"""Folder in DIR of the ``/.well-known/tdmrep.json`` files: an empty list where nothing is reserved."""

NOTHING_RESERVED = b"[]\n"
"""A tdmrep.json that reserves nothing. A site without a file would be answered like an unknown host."""

SHARD = r"^(?:www\.)?[^.]*?([^.]{1,2})(?:\.|$)"
"""Group 1 is the folder of a canonical host; valid in PCRE (nginx, Apache), RE2 (Caddy) and Python."""

STATE = ".aipolicy.json"
"""File in DIR with the generator's state; it marks the folder as ours."""

DEFAULT = "default.txt"
"""File in DIR: the robots.txt of unknown hosts."""

DEFAULT_TDMREP = "default.tdmrep.json"
"""File in DIR: the tdmrep.json of unknown hosts."""

UNFINISHED = ".unfinished"
"""Name of an incomplete file; no host begins with a dot."""

_LOCK = ".aipolicy.lock"

_SOURCES = 1024  # contents whose file is known
_BATCH = 500
# Errors of a file system without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_INode = tuple[int, int]
_SHARD = re.compile(SHARD)


class HostFolder:
    """The folder, locked for this process. A context manager.

    Errors of the system are raised as OSError.

    Raises:
        AIPolicyError: The folder contains files that aren't ours, or another process writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._refuse_foreign()
        self._lock = FileLock(path / _LOCK)
        holder = self._lock.acquire()
        if holder:
            raise AIPolicyError(f"{holder} is writing to '{path}': wait until it is done")
        self._path = os.fspath(path)
        self._links = True
        self._sources: dict[bytes, tuple[str, _INode]] = {}
        self._source_at: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def put_default(self, body: bytes, name: str = DEFAULT) -> None:
        """Write the file for unknown hosts: a 404 would mean that there are no rules."""
        target = os.fspath(self.path / name)
        if self._found(target) is None or not _has_contents(target, body):
            self._replace(os.fspath(self.path), target, body, None)

    def put(self, host: str, body: bytes, kind: str = FILES) -> bool:
        """Write the host's file of that kind; return True if its contents changed."""
        folder = f"{self._path}/{kind}/{shard(host)}"
        target = f"{folder}/{host}"
        source = self._sources.get(body) if self._links else None
        try:
            if source and self._linked(source[0], target):
                return True
            found = self._found(target)
            if found is not None and ((source and found == source[1]) or _has_contents(target, body)):
                self._remember(target, body, found)
                return False
            self._replace(folder, target, body, source)
        except FileNotFoundError:
            if Path(folder).is_dir():  # then the file to link to is missing
                self._forget(source[0] if source else target)
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._replace(folder, target, body, self._sources.get(body))
        return True

    def read(self, host: str, kind: str = FILES) -> bytes | None:
        """Return the contents of the host's file of that kind, or None."""
        try:
            return Path(f"{self._path}/{kind}/{shard(host)}/{host}").read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, host: str, kind: str = FILES) -> bool:
        """Remove the host's file of that kind; return True if there was one."""
        target = f"{self._path}/{kind}/{shard(host)}/{host}"
        self._forget(target)
        try:
            if not stat.S_ISREG(os.lstat(target).st_mode):
                return False  # a directory or link isn't ours
            Path(target).unlink()
        except FileNotFoundError:
            return False
        return True

    def sweep(self, unknown: Callable[[list[str]], set[str]]) -> int:
        """Remove the files of hosts that are ``unknown``; return the number of robots.txt files removed."""
        self._sweep(TDMREP, unknown)
        return self._sweep(FILES, unknown)

    def _sweep(self, kind: str, unknown: Callable[[list[str]], set[str]]) -> int:
        removed, root = 0, f"{self._path}/{kind}"
        for folder in (name for name in _names(root) if len(name) <= 2):
            self._clear(f"{root}/{folder}/{UNFINISHED}")
            for hosts in self._hosts_in(root, folder):
                removed += sum(self.remove(host, kind) for host in sorted(unknown(hosts)))
            with contextlib.suppress(OSError):  # it isn't empty
                Path(root, folder).rmdir()
        return removed

    def _refuse_foreign(self) -> None:
        if not (self.path / STATE).exists():
            own = (_LOCK, unfinished_path(Path(STATE)).name, UNFINISHED, "lost+found")
            foreign = next((name for name in _names(os.fspath(self.path)) if name not in own), None)
            if foreign is not None:
                fix = "use an empty directory, or one that this command has written"
                raise AIPolicyError(f"'{self.path}' contains {foreign!r}, which aipolicy didn't write: {fix}")

    def _linked(self, source: str, target: str) -> bool:
        """Create ``target`` as a link; return False if it exists, or can't be a link."""
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
        elif error.errno == errno.EMLINK:  # ext4 allows 65,000 links: the next ones are to a new copy
            self._forget(source)
        else:
            raise error

    def _replace(self, folder: str, target: str, body: bytes, source: tuple[str, _INode] | None) -> None:
        unfinished = f"{folder}/{UNFINISHED}"
        self._forget(target)
        self._clear(unfinished)
        if not (source and self._links and self._sources.get(body) and self._linked(source[0], unfinished)):
            # O_EXCL: truncating an existing file could empty all hosts that are links to it.
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            with open(handle, "wb", buffering=0) as file:  # noqa: PTH123
                file.write(body)
        Path(unfinished).replace(target)
        found = self._found(target)
        if found is not None:
            self._remember(target, body, found)

    def _found(self, target: str) -> _INode | None:
        """Return the identity of the file, or None. Raises AIPolicyError if it isn't a file."""
        try:
            found = os.lstat(target)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise AIPolicyError(f"'{target}' is not a file that aipolicy wrote: move it away")
        return found.st_dev, found.st_ino

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
        """Yield the names of our files in one folder, in batches."""
        ours = [name for name in _names(f"{root}/{folder}") if is_host_file(folder, name)]
        for start in range(0, len(ours), _BATCH):
            yield ours[start : start + _BATCH]


def shard(host: str) -> str:
    """Return the folder of a canonical host."""
    match = _SHARD.match(host)
    if match is None:
        raise ValueError(f"{host!r} is not a canonical host: it has no first label")
    return match[1]


def is_host_file(folder: str, name: str) -> bool:
    """Return True if ``folder/name`` is the path of a host's file; other files aren't ours."""
    return canonical_host(name) == name and shard(name) == folder


def _names(folder: str) -> list[str]:
    """Return the sorted names in a folder; none if it isn't one."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names suffice, and there may be many
    except (FileNotFoundError, NotADirectoryError):
        return []


def _has_contents(target: str, body: bytes) -> bool:
    """Return True if the file, of any size, has these contents."""
    with open(target, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(len(body) + 1) == body
