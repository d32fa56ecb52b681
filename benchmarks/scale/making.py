"""The data: a registry, and the same hosts and policies for each peer, made once and stored in a folder."""

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sites import OPTED_OUT, OWN, SCATTER, UNSET, Sites

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.replica.initial_copy import create_indexes

ZIPF, SWEEP = 1_200_000, 600_000  # requests
CHECKED = 500  # hosts
_AT = 1_700_000_000_000_000

# Each table in the order of its key, so that its pages are written once.
_PLACES = "WITH RECURSIVE n(p) AS (VALUES (0) UNION ALL SELECT p + 1 FROM n WHERE p + 1 < :count)"
_NAME, _FURTHER = "printf('%08x.platform.example', {})", "printf('www.%08x.example', {})"
_FILL = (
    f"""INSERT INTO site (id, name, policy, seq) {_PLACES}
        SELECT id, name, CASE WHEN id % 100 = 7 THEN replace(:own, 'NAME', name)
                              WHEN id % 10 = 7 THEN :opted_out ELSE :unset END, id
        FROM (SELECT p + 1 AS id, {_NAME.format("p * :inverse % :count * :step")} AS name FROM n)""",
    f"""INSERT INTO host (host, site_id) {_PLACES}
        SELECT {_NAME.format("p * :step")}, 1 + p * :scatter % :count FROM n""",
    f"""INSERT INTO host (host, site_id) {_PLACES}
        SELECT {_FURTHER.format("p * :step")}, 1 + p * :scatter % :count FROM n
        WHERE (1 + p * :scatter % :count) / 10 % 10 = 1""",
    "INSERT INTO host_history (host, at, seq, site_id) SELECT host, :at, site_id, site_id FROM host",
    """INSERT INTO change (seq, at, actor, site_id, site, policy, hosts, affected)
        SELECT id, :at, 'benchmark', id, name, policy, hosts, hosts
        FROM (SELECT *, CASE WHEN id / 10 % 10 = 1
                        THEN json_array(name, 'www.' || substr(name, 1, 8) || '.example')
                        ELSE json_array(name) END AS hosts FROM site)""",
    "UPDATE sequence SET seq = :count",
)


def made(path: Path, make: Callable[[Path], None]) -> Path:
    """Return ``path``; if it is missing, make it under another name first, so that it is always complete."""
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.making")
        unfinished.unlink(missing_ok=True)
        began = time.perf_counter()
        make(unfinished)
        unfinished.replace(path)
        print(f"made {path} in {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e9:.2f} GB")
    return path


def traffic_files(folder: Path, sites: Sites) -> None:
    """Write the files with the hosts to look up, one per line."""
    for name, hosts in (("zipf.txt", sites.zipf(ZIPF)), ("sweep.txt", sites.sweep(SWEEP))):

        def make(path: Path, hosts: Iterator[str] = hosts) -> None:
            with path.open("w") as file:
                file.writelines(f"{host}\n" for host in hosts)

        made(folder / name, make)


def registry_file(folder: Path, sites: Sites) -> Path:
    """Make the registry's file, and check it through the registry's own reads."""

    def make(path: Path) -> None:
        fill(path, sites)
        with Registry(f"sqlite:///{path}", create=False) as registry:
            counts = {"sites": sites.count, "hosts": sites.hosts, "changes": sites.count}
            if registry.counts() != counts:
                raise SystemExit(f"{path} has {registry.counts()}, not {counts}")

    path = made(folder / "registry.db", make)
    check(path, sites)
    return path


def fill(path: Path, sites: Sites) -> None:
    """Fill the registry's tables with plain SQL, then create indexes and triggers, as for a replica."""
    with Registry(f"sqlite:///{path}"):
        pass
    values = {
        "count": sites.count,
        "step": sites.step,
        "inverse": sites.inverse,
        "scatter": SCATTER,
        "at": _AT,
        "own": OWN,
        "opted_out": OPTED_OUT,
        "unset": UNSET,
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4000000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        later = "SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        for kind, name in connection.execute(later).fetchall():
            connection.execute(f"DROP {kind} {name}")
        for statement in (*_FILL, *create_indexes()):
            connection.execute(statement, values)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def check(path: Path, sites: Sites) -> None:
    """Exit if the registry doesn't read back what was written."""
    chance = random.Random(3)
    with Registry(f"sqlite:///{path}", create=False) as registry:
        for number in (chance.randrange(sites.hosts) for _ in range(CHECKED)):
            host, id_ = sites.host(number)
            name = sites.name(sites.place_of(id_))
            policy = SitePolicy.from_dict({**json.loads(sites.policy(id_)), "site": name})
            hosts = (name, sites.further(sites.place_of(id_))) if sites.has_further(id_) else (name,)
            (change,) = registry.history(host)
            read = (registry.get(host), registry.hosts(host), registry.at(host, datetime.now(UTC)))
            if read != (policy, hosts, policy) or (change.seq, change.policy) != (id_, policy):
                raise SystemExit(f"{path} is not what this script makes, as {host} tells: remove it")
