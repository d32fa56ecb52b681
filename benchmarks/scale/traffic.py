"""Two kinds of traffic, served by LocalLookup and by each peer in turn, in processes of their own."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from figures import Worker, median_ratio, verdict

ROUNDS = 7
REQUESTS, SLOW_REQUESTS = 20_000, 2000  # of a round
AT_ONCE = 16
WARM = {"zipf": 1_000_000, "sweep": 300_000}  # requests after which a cache of 100,000 is as it will stay
FLOOR = "sqlite3 point read"
MOST_MEMORY, MOST_BYTES = 200, 300  # MB of a process, bytes of a cached host


@dataclass(slots=True)
class Served:
    """A store's process. ``over_network``: it is slow, and takes several requests at once."""

    name: str
    worker: Worker
    cached: bool = False
    over_network: bool = False
    elsewhere: str = ""
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    crowds: list[float] = field(default_factory=list)
    misses: float = 0


def measure(traffic: str, stores: Sequence[Served]) -> None:
    """Print a line for each store."""
    for served in stores:
        served.walls, served.cpus, served.crowds = [], [], []
        if served.cached:
            for _ in range(WARM[traffic] // REQUESTS):
                served.worker.serve(traffic, REQUESTS)
            served.misses = served.worker.status()["misses"]
    for number in range(ROUNDS):
        for served in stores if number % 2 else reversed(stores):
            took = served.worker.serve(traffic, SLOW_REQUESTS if served.over_network else REQUESTS)
            served.walls.append(took["wall"] * 1e6)
            served.cpus.append(took["cpu"] * 1e6)
            if served.over_network:
                crowd = served.worker.serve(traffic, SLOW_REQUESTS, AT_ONCE)
                served.crowds.append(crowd["wall"] * 1e6)
    floor = next(served.walls for served in stores if served.name == FLOOR)
    for served in stores:
        print(_line(traffic, served, floor))


def _line(traffic: str, served: Served, floor: Sequence[float]) -> str:
    said = f"{traffic:<6} {served.name:<30} {statistics.median(served.walls):7.2f} us"
    said += f" ({statistics.median(served.cpus):6.2f} us CPU)"
    said += f"  {median_ratio(served.walls, floor):5.2f} x {FLOOR}"
    if served.cached:
        ratio = 1 - (served.worker.status()["misses"] - served.misses) / (ROUNDS * REQUESTS)
        said += f"; {ratio:.1%} hits"
    if served.crowds:
        said += f"; {statistics.median(served.crowds):.0f} us a request with {AT_ONCE} at once"
    return said


def memory(stores: Sequence[Served]) -> bool:
    """Print a line for each store; return True if LocalLookup, the first, is within its bounds."""
    met = True
    for served in stores:
        status = served.worker.status()
        megabytes = status["private"] / 1e6
        said = f"memory {served.name:<30} {megabytes:7,.0f} MB of its own{served.elsewhere}"
        if served is stores[0]:
            met = megabytes < MOST_MEMORY
            said += f"; below {MOST_MEMORY} MB: {verdict(met)}"
            bytes_a_host = (status["private"] - status["empty"]) / status["sites"]
            few = bytes_a_host <= MOST_BYTES
            said += f"\n{'':<37} {bytes_a_host:7,.0f} bytes a cached host ({status['sites']:,.0f}), with all "
            said += f"that the process has gained; at most {MOST_BYTES}: {verdict(few)}"
            met = met and few
        print(said)
    return met
