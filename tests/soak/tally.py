"""Counts of each phase: requests, errors, wrong answers, and delays of changes."""

import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.oracle import Answer, Verdict

CALM = "no fault"
_SHOWN = 5  # complaints of a kind and a phase


@dataclass(slots=True)
class Phase:
    """The counts of all periods with one fault, or without any."""

    name: str
    tried: int = 0
    requests: int = 0
    stand_ins: int = 0
    cut: int = 0
    errors: int = 0
    wrong: int = 0
    recoveries: list[float] = field(default_factory=list)
    propagation: list[float] = field(default_factory=list)
    lines: int = 0
    """Maximum number of warnings that one process logged in one period."""

    def percentile(self, percent: int) -> float | None:
        """Return a percentile of the seconds from a change until it was in force in a worker."""
        if len(self.propagation) < 2:
            return None
        return statistics.quantiles(self.propagation, n=100, method="inclusive")[percent - 1]


class Tally:
    """Thread-safe counts of all phases."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.phases: dict[str, Phase] = {}
        self.complaints: list[str] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._phase = self._named(CALM)
        self._cuts = False
        self._commits: list[tuple[float, Phase]] = []  # of change number 1 on
        self._seqs: dict[int, int] = {}  # by worker: the last change that it served

    def enter(self, name: str, *, cuts: bool = False) -> Phase:
        """Begin the phase of the fault ``name``."""
        with self._lock:
            self._phase, self._cuts = self._named(name), cuts
            self._phase.tried += name != CALM
            return self._phase

    def made(self, seq: int, committed: float) -> None:
        """Record a change."""
        with self._lock:
            while len(self._commits) < seq:
                self._commits.append((committed, self._phase))

    @property
    def seq(self) -> int:
        """Number of the last change."""
        return len(self._commits)

    def answered(self, answer: Answer, verdict: Verdict) -> None:
        with self._lock:
            self._phase.requests += 1
            self._phase.stand_ins += verdict is Verdict.STAND_IN
            last = self._seqs.get(answer.worker, answer.seq)
            for committed, phase in self._commits[last : answer.seq]:
                # A change made just before something broke is late because of that.
                phase = self._phase if phase.name == CALM else phase
                phase.propagation.append(max(0.0, answer.received - committed))
            self._seqs[answer.worker] = max(last, answer.seq)

    def workers_at(self, seq: int) -> list[int]:
        """Return the workers that have served that change, or a later one."""
        with self._lock:
            return [worker for worker, shown in self._seqs.items() if shown >= seq]

    def wrong(self, message: str) -> None:
        with self._lock:
            self._phase.wrong += 1
            self._complain("wrong", message)

    def failed(self, message: str) -> None:
        with self._lock:
            self._phase.errors += 1
            self._complain("error", message)

    def cut(self) -> bool:
        """Return True if a broken connection is expected now."""
        with self._lock:
            self._phase.cut += self._cuts
            return self._cuts

    @property
    def bad(self) -> int:
        """Number of errors and wrong answers."""
        return sum(phase.errors + phase.wrong for phase in self.phases.values())

    def _complain(self, kind: str, message: str) -> None:
        self._counts[kind, self._phase.name] += 1
        if self._counts[kind, self._phase.name] <= _SHOWN:
            self.complaints.append(f"{time.strftime('%H:%M:%S')} {self._phase.name}: {kind}: {message}")

    def _named(self, name: str) -> Phase:
        return self.phases.setdefault(name, Phase(name))
