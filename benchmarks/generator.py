"""``aipolicy robots --all`` against a plain loop: ``python benchmarks/generator.py [HOSTS]``.

The peer writes the same bytes to the same names with ``open`` and ``write``: not atomic, not resumable, and
with the bytes at hand. A ratio is the median over interleaved rounds. Memory is the highest of a process that
writes so many hosts, and of one that writes a quarter of them. Ends with 1 where a bound is broken.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aipolicy.bulk.folder import Folder
from aipolicy.bulk.layout import FILES, shard
from aipolicy.bulk.writing import Writer
from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import render
from aipolicy.registry import Registry

HOSTS, ROUNDS = 20_000, 3
MOST_TIMES, MOST_GROWTH = 1.0, 1.1
POLICIES = [SitePolicy.from_preset(preset) for preset in ("no-training", "unset", "no-ai", "allow")]


def name(number: int) -> str:
    return f"blog-{number}.platform.example"


def policy(number: int) -> SitePolicy:
    return POLICIES[number % len(POLICIES)].for_site(name(number))


def registry_of(path: Path, hosts: int) -> str:
    url = f"sqlite:///{path}"
    with Registry(url) as registry:
        registry.put_many((policy(number) for number in range(hosts)), by="benchmark")
    return url


def ours(url: str, out: Path, *, full: bool = False) -> float:
    start = time.perf_counter()
    with Registry(url, create=False) as registry, Folder(out) as folder:
        Writer(registry, folder).run(full=full)
    return time.perf_counter() - start


def plain(out: Path, hosts: int) -> float:
    bodies = [render(of).robots.body for of in POLICIES]
    start = time.perf_counter()
    made: set[str] = set()
    for number in range(hosts):
        host = name(number)
        folder = f"{out}/{FILES}/{shard(host)}"
        if folder not in made:
            Path(folder).mkdir(parents=True, exist_ok=True)
            made.add(folder)
        with open(f"{folder}/{host}", "wb") as file:  # noqa: PTH123 - the plainest loop
            file.write(bodies[number % len(bodies)])
    os.sync()
    return time.perf_counter() - start


def highest_megabytes(url: str, out: Path) -> float:
    """Of a process that does nothing else."""
    command = [sys.executable, __file__, "--write", url, str(out)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(hosts: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        url = registry_of(here / "registry.db", hosts)
        rounds = [
            (ours(url, here / f"ours{number}"), plain(here / f"plain{number}", hosts))
            for number in range(ROUNDS)
        ]
        again = ours(url, here / "ours0")
        checked = ours(url, here / "ours0", full=True)
        few = highest_megabytes(registry_of(here / "few.db", hosts // 4), here / "few")
        many = highest_megabytes(url, here / "many")
    ratio = statistics.median(mine / its for mine, its in rounds)
    mine, its = (statistics.median(column) for column in zip(*rounds, strict=True))
    size = sum(len(render(policy(number)).robots.body) for number in range(len(POLICIES))) / len(POLICIES)
    rate = f"{hosts / mine:,.0f} files/s, {hosts / mine * size / 1e6:.0f} MB/s of robots.txt"
    peer = f"a plain loop ({its:.2f} s)"
    print(f"first run   {mine:6.2f} s  {ratio:.2f} x {peer}, at most {MOST_TIMES:g} x: {rate}")
    print(f"no change   {again:6.2f} s")
    print(f"full check  {checked:6.2f} s  {hosts / checked:,.0f} files/s")
    print(f"memory      {many:.0f} MB, {few:.0f} MB for a quarter, at most {MOST_GROWTH:g} x")
    return 0 if ratio <= MOST_TIMES and many <= few * MOST_GROWTH else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        ours(sys.argv[2], Path(sys.argv[3]))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else HOSTS))
