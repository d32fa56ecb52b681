"""``aipolicy robots --all`` against a plain loop: ``python benchmarks/generator.py [HOSTS]``.

The whole command is timed. The peer has the bytes in memory and writes them to the same names with ``open``
and ``write``, neither atomic nor resumable. A ratio is the median over interleaved rounds. Memory is the peak
of the command for all hosts, and for a quarter of them. A million hosts take some minutes, and 8 GB in
$TMPDIR. Exits with 1 if a limit is exceeded.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aipolicy.bulk.host_folder import FILES, NOTHING_RESERVED, TDMREP, shard
from aipolicy.cli import main as cli
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.rendering import render

HOSTS, ROUNDS = 100_000, 3
LARGE = 200_000  # hosts; one round of more is enough
LEAST_RATE, MOST_TIMES, MOST_GROWTH = 20_000, 1.0, 1.1
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


def ours(url: str, out: Path, *options: str) -> tuple[float, float]:
    """Run the whole command in a process of its own; return its seconds and megabytes."""
    command = [sys.executable, __file__, "--run", "robots", "--all", "--registry", url, "--out", str(out)]
    start = time.perf_counter()
    done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def plain(out: Path, hosts: int) -> float:
    bodies = [
        (of.robots.body, of.tdmrep.body if of.tdmrep else NOTHING_RESERVED) for of in map(render, POLICIES)
    ]
    start = time.perf_counter()
    made: set[str] = set()
    for number in range(hosts):
        host = name(number)
        for kind, body in zip((FILES, TDMREP), bodies[number % len(bodies)], strict=True):
            folder = f"{out}/{kind}/{shard(host)}"
            if folder not in made:
                Path(folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            with open(f"{folder}/{host}", "wb") as file:  # noqa: PTH123 - the plainest loop
                file.write(body)
    os.sync()
    return time.perf_counter() - start


def main(hosts: int) -> int:
    rounds = []
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        url = registry_of(here / "registry.db", hosts)
        _, few = ours(registry_of(here / "few.db", hosts // 4), here / "few")
        for number in range(ROUNDS if hosts <= LARGE else 1):
            shutil.rmtree(here / "ours", ignore_errors=True)
            its = plain(here / f"plain{number}", hosts)
            shutil.rmtree(here / f"plain{number}")
            mine, many = ours(url, here / "ours")
            rounds.append((mine, its))
        again, _ = ours(url, here / "ours")
        checked, _ = ours(url, here / "ours", "--full")
    ratio = statistics.median(mine / its for mine, its in rounds)
    mine, its = (statistics.median(column) for column in zip(*rounds, strict=True))
    size = sum(len(render(policy(number)).robots.body) for number in range(len(POLICIES))) / len(POLICIES)
    rate = f"{hosts / mine:,.0f} files/s, at least {LEAST_RATE:,}; {hosts / mine * size / 1e6:.0f} MB/s"
    print(f"first run   {mine:6.2f} s  {rate}")
    print(f"            {ratio:.2f} x a plain loop ({its:.2f} s), at most {MOST_TIMES:g} x")
    print(f"no change   {again:6.2f} s")
    print(f"full check  {checked:6.2f} s  {hosts / checked:,.0f} files/s")
    print(f"memory      {many:.0f} MB, {few:.0f} MB for a quarter, at most {MOST_GROWTH:g} x")
    good = ratio <= MOST_TIMES and many <= few * MOST_GROWTH and hosts / mine >= LEAST_RATE
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        cli(sys.argv[2:], standalone_mode=False)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else HOSTS))
