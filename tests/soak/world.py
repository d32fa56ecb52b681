"""A machine with workers, and its registry, clients and writer."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import OwnServer, Schemas
from tests.soak.changes import Changes
from tests.soak.clients import Clients
from tests.soak.oracle import BOUND, Fault, Oracle
from tests.soak.processes import (
    FAKETIME,
    WORKERS,
    Follower,
    Log,
    max_warnings_of_a_process,
    uvicorn,
    wait_for,
    workers_of,
)
from tests.soak.proxy import Proxy, socket_of
from tests.soak.tally import CALM, Phase, Tally

DISK = "48m"
RECOVERY = 30.0
"""Seconds within which every worker must be up to date again."""


@dataclass(slots=True)
class World:
    """The processes and files that faults break; without a follower, workers read a SQLite registry."""

    url: str
    file: Path
    oracle: Oracle
    tally: Tally
    log: Log
    uvicorn: int
    port: int
    disk: bool
    """True if the file's folder is a small file system of its own."""

    clock: Path | None
    """File with the time of the workers and the follower, read by libfaketime."""

    follower: Follower | None = None
    proxy: Proxy | None = None
    server: OwnServer | None = None
    old: Path = Path()
    """A copy of the replica as it was first filled."""

    def workers(self) -> list[int]:
        return workers_of(self.uvicorn)

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[Phase]:
        """Record a fault during the block, and until every worker is up to date again."""
        self.log.new()
        phase = self.tally.enter(fault.name, cuts=fault.cuts)
        self.oracle.breaks(fault, time.monotonic())
        yield phase
        try:
            phase.recoveries.append(self.catch_up_seconds())
        except TimeoutError as error:
            self.tally.failed(str(error))
        self.oracle.repaired(fault, time.monotonic())
        phase.lines = max(phase.lines, max_warnings_of_a_process(self.log.new()))
        self.tally.enter(CALM)

    def catch_up_seconds(self) -> float:
        """Return the seconds until a new change is in force everywhere. Raises TimeoutError."""
        began, target = time.monotonic(), self.tally.seq + 2  # the next one may be begun already
        wait_for(
            lambda: len(set(self.workers()) & set(self.tally.workers_at(target))) == WORKERS,
            RECOVERY,
            "the workers are not up to date again",
        )
        return time.monotonic() - began


@contextmanager
def world(
    folder: Path,
    server: OwnServer | None,
    *,
    sites: int,
    clients: int,
    seed: int,
    pause: float = 0.0,
    bound: float = BOUND,
) -> Iterator[World]:
    """Set up a registry in PostgreSQL on ``server`` and a replica; without a server, a registry in SQLite."""
    oracle, tally = Oracle(bound), Tally()
    names = [f"blog{number}.example" for number in range(sites)]
    with ExitStack() as stack:
        here = folder / "disk"
        here.mkdir()
        disk = stack.enter_context(small_disk(here))
        clock, environment = faked_time(folder)
        file = here / ("replica.db" if server else "registry.db")
        url = stack.enter_context(Schemas(server.url)).new() if server else f"sqlite:///{file}"
        stack.enter_context(Changes(url, oracle, tally, names, seed=seed))
        follower = proxy = None
        if server:
            proxy = stack.enter_context(Proxy(socket_of(server.url)))
            follower = Follower(proxy.through(url), file, Log(folder / "follower.log"), environment)
            stack.callback(follower.kill)
            wait_for(file.exists, 60, "the replica is not filled")
            with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(folder / "old.db")) as old:
                now.backup(old)
        log = Log(folder / "workers.log")
        process, port = stack.enter_context(uvicorn(file, log, environment))
        made = World(
            url,
            file,
            oracle,
            tally,
            log,
            process,
            port,
            disk,
            clock,
            follower,
            proxy,
            server,
            folder / "old.db",
        )
        wait_for(lambda: _listens(port), 60, "uvicorn doesn't answer")
        wait_for(lambda: len(made.workers()) == WORKERS, 60, "there are not enough workers")
        stack.enter_context(Clients(port, oracle, tally, names, count=clients, pause=pause, seed=seed))
        made.catch_up_seconds()
        yield made


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a small file system on ``folder``; return False without the permission."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.geteuid()
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def faked_time(folder: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the file that sets the clock of processes; None if libfaketime is missing."""
    library = next(Path("/usr/lib").glob(f"*/faketime/{FAKETIME}"), None)
    if library is None:
        return None, {}
    clock = folder / "clock"
    clock.write_text("+0\n")
    return clock, {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # changes of the real clock don't affect it either
    }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
