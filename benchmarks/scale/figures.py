"""Measurements: of server processes, and of calls against a peer's in the same round."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


class Worker:
    """A process that serves from one store; see ``serving.py``."""

    def __init__(self, store: str, folder: Path, address: str = "") -> None:
        command = [sys.executable, str(Path(__file__).with_name("serving.py")), store, str(folder), address]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()  # it is ready

    def serve(self, traffic: str, requests: int, at_once: int = 1) -> dict[str, float]:
        return self._ask(f"serve {traffic} {requests} {at_once}")

    def status(self) -> dict[str, float]:
        return self._ask("status")

    def stop(self) -> None:
        self._process.communicate()

    def _ask(self, command: str) -> dict[str, float]:
        print(command, file=self._process.stdin)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self._process.args[1:3]))} ended")  # type: ignore[index]
        answer: dict[str, float] = json.loads(line)
        return answer


def seconds_a_call(call: Callable[[bytes], object], hosts: Sequence[bytes]) -> float:
    start = time.thread_time()
    for host in hosts:
        call(host)
    return (time.thread_time() - start) / len(hosts)


def median_ratio(ours: Sequence[float], peers: Sequence[float]) -> float:
    return statistics.median(mine / its for mine, its in zip(ours, peers, strict=True))


def verdict(met: bool) -> str:
    return "met" if met else "NOT MET"
