"""A process that answers from one store, like an application: ``serving.py STORE FOLDER [ADDRESS]``.

It reads one command per line, and answers with a line of JSON. Every answer is a rendering, through the
public calls of a lookup, in uvloop: ``peek(host) or await find(host)``.
"""

import asyncio
import gc
import json
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import uvloop

from aipolicy.lookup import LocalLookup
from aipolicy.lookup.renderer import Renderer
from aipolicy.rendering import Rendering

_TAKEN = 500  # requests
POINT_READ = "SELECT s.policy FROM host h JOIN site s ON s.id = h.site_id WHERE h.host = ?"


class Store(Protocol):
    def peek(self, host: bytes) -> Rendering | None: ...
    async def find(self, host: bytes) -> Rendering: ...


class Answered:
    """A store that answers from memory."""

    def __init__(self, peek: Callable[[bytes], Rendering]) -> None:
        self.peek = peek

    async def find(self, host: bytes) -> Rendering:
        raise RuntimeError(f"no answer for {host!r}")


class Asked:
    """A store that is queried for each answer."""

    def __init__(self, find: Callable[[bytes], Awaitable[Rendering]]) -> None:
        self._find = find

    def peek(self, host: bytes) -> Rendering | None:
        return None

    async def find(self, host: bytes) -> Rendering:
        return await self._find(host)


async def ours(folder: Path, _: str) -> Store:
    return LocalLookup(folder / "registry.db")


async def sqlite(folder: Path, _: str) -> Store:
    uri = f"{(folder / 'registry.db').as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.text_factory = bytes
    read = Renderer().read
    return Answered(lambda host: read(connection.execute(POINT_READ, (host.decode(),)).fetchone()[0]))


async def snapshot(folder: Path, _: str) -> Store:
    """Return a dict of all hosts with the renderings that sites share; others are rendered on request."""
    from sites import OPTED_OUT, UNSET

    renderer = Renderer()
    shared: dict[str, Any] = {text: renderer.read(text.encode()) for text in (OPTED_OUT, UNSET)}
    connection = sqlite3.connect(folder / "registry.db")
    pairs = connection.execute("SELECT h.host, s.policy FROM site s JOIN host h ON h.site_id = s.id")
    known = {host.encode(): shared.get(text) or text.encode() for host, text in pairs}
    connection.close()
    read = renderer.read

    def peek(host: bytes) -> Rendering:
        value = known[host]
        return value if type(value) is Rendering else read(value)

    return Answered(peek)


def _lmdb(folder: Path) -> Callable[[bytes], bytes]:
    import lmdb

    begin = lmdb.open(str(folder / "hosts.lmdb"), subdir=False, readonly=True, readahead=False).begin

    def get(host: bytes) -> bytes:
        with begin() as transaction:  # for each, as for SQLite: an older one wouldn't see changes
            found: bytes = transaction.get(host)  # type: ignore[assignment]
            return found

    return get


async def lmdb(folder: Path, _: str) -> Store:
    get, read = _lmdb(folder), Renderer().read
    return Answered(lambda host: read(get(host)))


async def lmdb_cached(folder: Path, _: str) -> Store:
    """Return a LocalLookup on LMDB instead of SQLite."""
    lookup, get = LocalLookup(folder / "registry.db"), _lmdb(folder)
    vars(lookup._file)["policy"] = lambda host: get(host.encode())
    return lookup


async def redis(_: Path, address: str) -> Store:
    from redis.asyncio import Redis

    client: Any = Redis.from_url(address)
    read = Renderer().read

    async def find(host: bytes) -> Rendering:
        return read(await client.get(host))

    return Asked(find)


async def postgres(_: Path, address: str) -> Store:
    """Return a store that lends each connection to one request at a time, as a pool does."""
    from psycopg import AsyncConnection

    free = [await AsyncConnection.connect(address, autocommit=True) for _ in range(16)]
    read = Renderer().read

    async def find(host: bytes) -> Rendering:
        connection = free.pop()
        cursor = await connection.execute(
            "SELECT policy FROM policy_of WHERE host = %s", (host.decode(),), prepare=True
        )
        row = await cursor.fetchone()
        free.append(connection)
        return read(row[0].encode())  # type: ignore[index]

    return Asked(find)


async def answer(store: Store, hosts: Sequence[bytes]) -> None:
    peek, find = store.peek, store.find
    for host in hosts:
        peek(host) or await find(host)


async def serve(store: Store, traffic: BinaryIO, requests: int, at_once: int) -> dict[str, float]:
    """Return wall-clock and CPU seconds per request."""
    walls = cpus = 0.0
    for _ in range(requests // _TAKEN):  # few at a time, as a server has them: they are memory, too
        hosts = [line[:-1] for line in islice(traffic, _TAKEN)]
        assert len(hosts) == _TAKEN, "that was all the traffic"
        shares = [hosts[number::at_once] for number in range(at_once)]
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(answer(store, share) for share in shares))
        walls += time.perf_counter() - wall
        cpus += time.process_time() - cpu
    return {"wall": walls / requests, "cpu": cpus / requests}


def private_bytes(folder: Path) -> int:
    """Return this process's private memory, without shared pages and pages of the data files."""
    total, counts = 0, True
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):  # a mapping's head: addresses, and in the end its file
            counts = not (rest and rest[-1].startswith(f"{folder}/"))
        elif counts and first in ("Private_Clean:", "Private_Dirty:"):
            total += int(rest[0]) * 1024
    return total


def main(name: str, folder: Path, address: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        store: Store = runner.run(globals()[name](folder, address))
        files = {path.stem: path.open("rb") for path in folder.glob("*.txt")}
        runner.run(serve(store, files["zipf"], _TAKEN, 1))
        empty = private_bytes(folder)
        print(json.dumps({}), flush=True)
        for line in sys.stdin:
            command, *words = line.split()
            said: dict[str, float] = {}
            if command == "serve":
                traffic, requests, at_once = words
                said = runner.run(serve(store, files[traffic], int(requests), int(at_once)))
            elif command == "status":
                gc.collect()
                said = {"private": private_bytes(folder), "empty": empty}
                if isinstance(store, LocalLookup):
                    status = store.status()
                    said |= {"sites": status.sites, "misses": status.misses}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
