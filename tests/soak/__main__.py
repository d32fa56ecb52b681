"""``python -m tests.soak --minutes 10``: cause each fault in turn, then print the report.

The exit code is 1 if a request failed or an answer was wrong. Then the logs are kept, and a command to replay
the run is printed.
"""

import argparse
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.postgres import OwnServer
from tests.soak.faults import KINDS, Kind
from tests.soak.report import line, machine, table
from tests.soak.tally import CALM
from tests.soak.world import World, world

CALM_SECONDS = 2.0
LONG, LONG_SECONDS = "PostgreSQL stopped", 60.0
LONG_SOAK = 5.0  # minutes; a run of that length stops PostgreSQL for a minute once


def main() -> int:
    options = _options()
    server = None if options.sqlite else OwnServer()
    began = time.monotonic()
    print(f"seed {options.seed}; {machine()}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="aipolicy-soak-"))
    try:
        with world(
            folder,
            server,
            sites=options.sites,
            clients=options.clients,
            seed=options.seed,
            pause=options.pause,
        ) as soaked:
            _soak(soaked, options, began + 60 * options.minutes)
    finally:
        if server:
            server.remove()
    tally = soaked.tally
    kind = "a SQLite registry" if options.sqlite else "PostgreSQL and a replica"
    print(
        f"\n{options.minutes:g} minutes with {kind}, 4 workers, {options.clients} clients, "
        f"{options.sites:,} sites, {tally.seq - options.sites:,} changes, seed {options.seed}\n"
    )
    print(*table(tally), *tally.complaints, sep="\n")
    if not tally.bad:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"\nTo replay it: {shlex.join(['python', '-m', 'tests.soak', *sys.argv[1:]])}")
    print(f"Logs of the workers and the follower: {folder}")
    return 1


def _soak(soaked: World, options: argparse.Namespace, end: float) -> None:
    for kind, seconds in _turns(soaked, options):
        time.sleep(CALM_SECONDS)
        if time.monotonic() >= end:
            break
        with kind.tried(soaked):
            time.sleep(seconds)
        phase = soaked.tally.phases[kind.name]
        print(f"{max(0.0, end - time.monotonic()) / 60:4.1f} min left  {line(phase)}", flush=True)
    print(line(soaked.tally.phases[CALM]), flush=True)


def _turns(soaked: World, options: argparse.Namespace) -> Iterator[tuple[Kind, float]]:
    """Yield the faults in a random order that depends on the seed, and their duration in seconds."""
    chance = random.Random(options.seed)
    chosen = [kind for kind in KINDS if not options.only or kind.name in options.only]
    kinds = [kind for kind in chosen if kind.possible(soaked)]
    for kind in chosen:
        if kind not in kinds and soaked.follower:
            print(f"not tried, because it needs {' and '.join(kind.needs)}: {kind.name}", flush=True)
    for number in range(sys.maxsize):
        chance.shuffle(kinds)
        for kind in kinds:
            long = number == 0 and kind.name == LONG and options.minutes >= LONG_SOAK
            yield kind, LONG_SECONDS if long else chance.uniform(1, 6)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sites", type=int, default=3000)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between a client's requests")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--only", action="append", choices=names, help="a fault to try")
    parser.add_argument("--sqlite", action="store_true", help="a registry in SQLite, without a replica")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
