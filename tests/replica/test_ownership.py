"""Ownership of a replica: readers of other users, and one follower at a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.file_lock import FileLock
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from aipolicy.registry.replica.initial_copy import fill
from aipolicy.registry.replica.source import Source
from aipolicy.registry.replica.status import FollowerStatus
from tests.forking import join_child, start_child
from tests.lookup.test_local_processes import READER
from tests.postgres import OwnServer, Schemas
from tests.registry.conftest import ROOT
from tests.replica.helpers import eventually, follower, is_copy, seq
from tests.soak.processes import paused
from tests.soak.proxy import Proxy, socket_of

OWNER, READS = 1501, 1502  # any unused user ids
AS_USER = """
import asyncio, encodings.ascii, os, signal, sys, time, psycopg, aipolicy.lookup
from aipolicy.registry.replica import Replica, follower
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
"""
of_two_users = pytest.mark.skipif(os.geteuid() != 0, reason="needs processes of two users: run it as root")
TELLING = "import logging; logging.basicConfig(stream=sys.stdout)"
FOLLOWER = """
replica = Replica(sys.argv[1], sys.argv[2])
signal.signal(signal.SIGTERM, lambda *_: replica.stop())
replica.run()
"""


@pytest.fixture
def anywhere(postgres_server: OwnServer) -> Iterator[str]:
    """The address of a registry that every user can connect to."""
    with Schemas(postgres_server.url) as schemas, Proxy(socket_of(postgres_server.url)) as network:
        yield network.through(schemas.new())


@pytest.fixture
def shared() -> Iterator[Path]:
    """A file in a directory that every user can write."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder) / "replica.db"


@contextmanager
def process(uid: int, code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", AS_USER.format(uid=uid) + code, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def owner(file: Path) -> int | None:
    with suppress(FileNotFoundError):
        return file.stat().st_uid
    return None


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


@of_two_users
def test_a_reader_of_another_user_that_opens_the_file_first_does_not_lock_out_the_follower(
    anywhere: str, shared: Path
) -> None:
    """After a reboot, SQLite lets the reader create the log and its index, which it then owns."""
    with Registry(anywhere) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        with process(OWNER, FOLLOWER, anywhere, shared) as first:
            eventually(lambda: seq(shared) == 1)
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 0
        assert not log_of(shared).exists()
        with process(READS, READER, shared, 0.05) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
            assert owner(log_of(shared)) == READS
            registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
            with process(OWNER, FOLLOWER, anywhere, shared):
                # Not by reading it here: as root, SQLite would give the log back to the file's owner.
                eventually(lambda: owner(log_of(shared)) == owner(shared) == OWNER)
                assert reader.stdout.readline() == "in force\n"
                assert is_copy(shared, anywhere)


@of_two_users
def test_a_log_that_the_follower_may_not_remove_is_reported_and_the_file_stays_readable(
    anywhere: str, shared: Path
) -> None:
    """In a directory like /tmp, where each file is its owner's to remove."""
    shared.parent.chmod(0o1777)
    with Registry(anywhere) as registry, ExitStack() as stack:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        with process(OWNER, FOLLOWER, anywhere, shared) as first:
            eventually(lambda: seq(shared) == 1)
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 0
        reader = stack.enter_context(process(READS, READER, shared, 0.05))
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        inode = shared.stat().st_ino
        registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
        second = stack.enter_context(process(OWNER, TELLING + FOLLOWER, anywhere, shared))
        assert second.stdout is not None
        assert "its directory must be the follower's own" in second.stdout.readline()
        assert shared.stat().st_ino == inode
        shared.parent.chmod(0o777)
        assert reader.stdout.readline() == "in force\n"


@of_two_users
def test_a_new_file_has_a_log_before_the_follower_opens_it(anywhere: str, shared: Path) -> None:
    with Registry(anywhere) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        with Source(anywhere) as source:
            status = FollowerStatus(source.name, shared, time.time).row_of_copy
            progress = lambda *_: nullcontext(lambda _: None)  # noqa: E731
            fill(source, shared, reason="new", status=status, progress=progress, stopped=bool)
        with process(READS, READER, shared, 0.05) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
            assert owner(log_of(shared)) == owner(shared)
            registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
            with Replica(anywhere, shared):
                eventually(lambda: seq(shared) == 2)
                assert reader.stdout.readline() == "in force\n"


def test_a_follower_creates_a_deleted_file_and_lock_again(url: str, file: Path) -> None:
    with Registry(url) as registry, Replica(url, file):
        eventually(lambda: seq(file) == 0)
        for path in file.parent.glob("replica.db*"):
            path.unlink()
        registry.put(SitePolicy(site="a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
        with pytest.raises(RegistryError, match=rf"is followed by process {os.getpid()} already"):
            Replica(url, file).run()


def test_a_follower_that_lost_its_lock_to_another_one_ends(url: str, file: Path) -> None:
    with Registry(url) as registry, follower(url, file) as first, ExitStack() as stack:
        eventually(lambda: seq(file) == 0)
        with paused(first.pid):
            for path in file.parent.glob("replica.db*"):
                path.unlink()
            stack.enter_context(Replica(url, file))
            eventually(lambda: seq(file) == 0)
            inode = file.stat().st_ino
        log = first.communicate(timeout=30)[1]
        assert first.returncode == 2
        assert f"is followed by process {os.getpid()} already" in log
        registry.put(SitePolicy(site="a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
        assert file.stat().st_ino == inode


def test_a_deleted_lock_is_not_held(file: Path) -> None:
    path = file.with_name("replica.db.lock")
    first, second = FileLock(path), FileLock(path)
    assert first.acquire() is None
    path.unlink()
    assert not first.is_held()
    assert second.acquire() is None
    assert second.is_held()
    assert first.acquire() == f"process {os.getpid()}"
    second.release()
    assert first.acquire() is None
    first.release()


def test_a_child_process_neither_follows_nor_holds_the_lock(url: str, file: Path) -> None:
    go, gone = os.pipe()
    with Registry(url) as registry, Replica(url, file) as replica:
        registry.put(SitePolicy.from_preset("no-ai", site="before.example"), by="test")
        eventually(lambda: file.exists() and seq(file) == 1)

        def child() -> None:
            replica.stop()  # as a handler of the end would
            os.read(go, 1)

        children = [start_child(child), start_child(lambda: replica.__exit__())]
        join_child(children.pop())
        registry.put(SitePolicy.from_preset("no-ai", site="after.example"), by="test")
        eventually(lambda: seq(file) == 2)
    # The child is still alive, and must not hold the lock.
    lock = FileLock(file.with_name("replica.db.lock"))
    assert lock.acquire() is None
    lock.release()
    os.write(gone, b"x")
    join_child(children.pop())
    os.close(go)
    os.close(gone)
