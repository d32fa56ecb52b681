"""Faults, each a context manager that causes a real failure and ends it."""

import os
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from sqlalchemy.engine import make_url

from tests.soak.oracle import Fault
from tests.soak.processes import children, paused
from tests.soak.proxy import Network
from tests.soak.world import World

Break = Callable[[World], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault; see ``oracle.Fault``.

    Attributes:
        needs: Attributes of the world without which the fault can't be caused.
    """

    name: str
    breaks: Break
    needs: tuple[str, ...] = ()
    strict: bool = False
    file: bool = False
    cuts: bool = False

    def possible(self, world: World) -> bool:
        return all(getattr(world, need) for need in self.needs)

    @contextmanager
    def tried(self, world: World) -> Iterator[None]:
        """Cause the fault until the end of the block, then wait until every worker is up to date again."""
        fault = Fault(self.name, strict=self.strict, file=self.file, cuts=self.cuts)
        with world.broken(fault), self.breaks(world):
            yield


KINDS: list[Kind] = []


def _kind(name: str, **options: object) -> Callable[[Callable[[World], Iterator[None]]], Break]:
    def made(function: Callable[[World], Iterator[None]]) -> Break:
        breaks = contextmanager(function)
        KINDS.append(Kind(name, breaks, **options))  # type: ignore[arg-type]
        return breaks

    return made


@_kind("PostgreSQL stopped", needs=("server",))
def postgres_stopped(world: World) -> Iterator[None]:
    assert world.server
    world.server.stop()
    try:
        yield
    finally:
        world.server.start()


@_kind("PostgreSQL crashed", needs=("server",))
def postgres_crashed(world: World) -> Iterator[None]:
    assert world.server
    world.server.crash()
    try:
        yield
    finally:
        world.server.start()


@_kind("PostgreSQL frozen", needs=("server",))
def postgres_frozen(world: World) -> Iterator[None]:
    assert world.server
    with paused(world.server.pid, *children(world.server.pid)):
        yield


@_kind("NOTIFY suppressed", needs=("server",), strict=True)
def not_notified(world: World) -> Iterator[None]:
    engine = sqlalchemy.create_engine(make_url(world.url).set(drivername="postgresql+psycopg"))
    statement = "ALTER TABLE sequence {} TRIGGER sequence_notifies"
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement.format("DISABLE")))
        yield
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement.format("ENABLE")))
    finally:
        engine.dispose()


@_kind("network cut", needs=("proxy",))
def network_cut(world: World) -> Iterator[None]:
    assert world.proxy
    world.proxy.become(Network.CUT)
    yield
    world.proxy.become(Network.SOUND)


@_kind("network silent", needs=("proxy",))
def network_silent(world: World) -> Iterator[None]:
    assert world.proxy
    world.proxy.become(Network.SILENT)
    yield
    world.proxy.become(Network.SOUND)


@_kind("connection lost silently", needs=("proxy",))
def connection_lost(world: World) -> Iterator[None]:
    assert world.proxy
    world.proxy.lose()
    yield


@_kind("follower killed", needs=("follower",))
def follower_killed(world: World) -> Iterator[None]:
    assert world.follower
    world.follower.kill()
    yield
    world.follower.start()


@_kind("follower frozen", needs=("follower",))
def follower_frozen(world: World) -> Iterator[None]:
    assert world.follower
    with paused(world.follower.pid):
        yield


@_kind("worker killed", strict=True, cuts=True)
def worker_killed(world: World) -> Iterator[None]:
    os.kill(random.choice(world.workers()), signal.SIGKILL)
    yield


@_kind("worker killed while PostgreSQL is away", needs=("server",), cuts=True)
def worker_killed_meanwhile(world: World) -> Iterator[None]:
    with postgres_stopped(world):
        os.kill(random.choice(world.workers()), signal.SIGKILL)
        yield


@_kind("file deleted", needs=("follower",), file=True)
def file_deleted(world: World) -> Iterator[None]:
    _unlink(world.file)
    yield


@_kind("file deleted while PostgreSQL is away", needs=("server",), file=True)
def file_deleted_meanwhile(world: World) -> Iterator[None]:
    with postgres_stopped(world):
        _unlink(world.file)
        yield


@_kind("file moved away and back", file=True)
def file_moved(world: World) -> Iterator[None]:
    with ExitStack() as back:
        if world.follower:  # which would fill another one
            back.enter_context(paused(world.follower.pid))
        away = world.file.with_suffix(".away")
        world.file.rename(away)
        back.callback(away.rename, world.file)
        yield


@_kind("file emptied", needs=("follower",), file=True)
def file_emptied(world: World) -> Iterator[None]:
    os.truncate(world.file, 0)
    yield


@_kind("file cut in half", needs=("follower",), file=True)
def file_cut(world: World) -> Iterator[None]:
    os.truncate(world.file, world.file.stat().st_size // 2)
    yield


@_kind("file overwritten from its beginning", needs=("follower",), file=True)
def file_overwritten(world: World) -> Iterator[None]:
    with world.file.open("r+b") as file:
        file.write(random.randbytes(1 << 16))
    yield


@_kind("file overwritten in its middle", needs=("follower",), file=True)
def file_scribbled(world: World) -> Iterator[None]:
    size = world.file.stat().st_size
    with world.file.open("r+b") as file:
        file.seek(size // 4)
        file.write(random.randbytes(size // 2))
    yield


@_kind("file replaced by an old copy", needs=("follower",), file=True)
def file_replaced(world: World) -> Iterator[None]:
    copy = world.file.with_suffix(".copy")
    shutil.copy(world.old, copy)
    copy.replace(world.file)
    yield


@_kind("disk full", needs=("follower",))
def disk_full(world: World) -> Iterator[None]:
    if not world.disk:  # there is no disk that can be filled
        with disk_refuses(world):
            yield
        return
    ballast = world.file.with_suffix(".ballast")
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 12)):
            pass
    yield
    ballast.unlink()


@_kind("disk refuses writes of the follower", needs=("follower",))
def disk_refuses(world: World) -> Iterator[None]:
    assert world.follower
    hard = resource.prlimit(world.follower.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(world.follower.pid, resource.RLIMIT_FSIZE, (1 << 12, hard))
    yield
    resource.prlimit(world.follower.pid, resource.RLIMIT_FSIZE, (hard, hard))


@_kind("clock one hour back", needs=("clock",), strict=True)
def clock_back(world: World) -> Iterator[None]:
    assert world.clock
    world.clock.write_text("-3600\n")
    yield
    world.clock.write_text("+0\n")


def _unlink(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        if not path.name.endswith(".lock"):
            path.unlink()
