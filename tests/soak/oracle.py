"""An oracle that knows every change and its time, and judges each answer."""

import bisect
import math
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

BOUND = 2.0
"""Seconds after which an old answer is wrong if there is no fault."""

PRESETS = ("no-training", "no-ai", "unset", "allow")
OPTED_OUT = frozenset({"no-training", "no-ai"})
DEFAULT = "no-training"
"""The preset that lookups serve for a host if the registry can't be read."""


class Verdict(StrEnum):
    RIGHT = "right"
    STAND_IN = "stand-in"  # an opt-out instead of an answer that can't be read
    WRONG = "wrong"


@dataclass(eq=False, slots=True)
class Version:
    """A version of a policy.

    Attributes:
        begun: Time before it was put.
        ended: Time after the next version was put.
    """

    site: str
    number: int
    preset: str
    begun: float
    ended: float = math.inf


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a client received: its preset, and the number of its version if it has one."""

    host: str
    worker: int
    seq: int
    preset: str
    number: int | None
    sent: float
    received: float
    numbered: bool = True
    """True if answers of this kind have a version number; one without a number is the default's."""

    @property
    def site(self) -> str:
        return self.host.removeprefix("www.")


@dataclass(eq=False, slots=True)
class Fault:
    """A fault from ``began`` to ``over``, when every worker is up to date again.

    Attributes:
        strict: True if answers must be as fresh as without a fault.
        file: True if the file can't be read, so that an opt-out may replace an answer.
        cuts: True if connections to workers may break, so that a client may retry.
    """

    name: str
    strict: bool = False
    file: bool = False
    cuts: bool = False
    began: float = 0.0
    over: float = math.inf


@dataclass(slots=True)
class _ShownVersions:
    """The versions that a worker has served for a host; it must never serve an older one."""

    times: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def before(self, moment: float) -> int:
        place = bisect.bisect_right(self.times, moment)
        return self.numbers[place - 1] if place else 0

    def add(self, moment: float, number: int) -> None:
        if number > (self.numbers[-1] if self.numbers else 0):
            self.times.append(max(moment, self.times[-1] if self.times else moment))
            self.numbers.append(number)


class Oracle:
    """A thread-safe oracle: it records changes and faults, and judges answers."""

    def __init__(self, bound: float = BOUND) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._versions: dict[str, list[Version]] = {}
        self._shown: defaultdict[tuple[int, str], _ShownVersions] = defaultdict(_ShownVersions)
        self._fault: Fault | None = None

    def begin(self, site: str, preset: str, now: float) -> Version:
        """Record that a change is about to be made."""
        with self._lock:
            versions = self._versions.setdefault(site, [])
            number = versions[-1].number + 1 if versions else 1
            versions.append(Version(site, number, preset, now))
            return versions[-1]

    def committed(self, version: Version, now: float) -> None:
        """Record that the change was made."""
        with self._lock:
            versions = self._versions[version.site]
            for earlier in versions[: versions.index(version)]:
                earlier.ended = min(earlier.ended, now)

    def undone(self, version: Version) -> None:
        """Record that the change was not made."""
        with self._lock:
            self._versions[version.site].remove(version)

    def breaks(self, fault: Fault, now: float) -> None:
        fault.began, self._fault = now, fault

    def repaired(self, fault: Fault, now: float) -> None:
        """Record that every worker is up to date again."""
        fault.over = now

    def judge(self, answer: Answer) -> tuple[Verdict, str]:
        """Return the verdict, and the expected answer if it is wrong."""
        with self._lock:
            return self._judged(answer)

    def _judged(self, answer: Answer) -> tuple[Verdict, str]:
        fault = self._fault if self._fault and self._fault.over >= answer.sent else None
        versions = self._versions.get(answer.site)
        if versions is None:  # an unknown host
            right = answer.preset == DEFAULT and answer.number is None
            return (Verdict.RIGHT, "") if right else (Verdict.WRONG, "the default: the host is unknown")
        shown = self._shown[answer.worker, answer.host]  # by host, because each is cached separately
        oldest = shown.before(answer.sent)
        since = answer.sent - self._bound
        if fault and not fault.strict:
            since = min(since, fault.began - self._bound)
        allowed = [
            version
            for version in versions
            if version.ended >= since and version.begun <= answer.received and version.number >= oldest
        ]
        fitting = [version.number for version in allowed if _fits(answer, version)]
        if fitting:
            shown.add(answer.received, min(fitting))
            return Verdict.RIGHT, ""
        if (
            fault
            and fault.file
            and answer.preset in OPTED_OUT
            and not _restricts_less(answer, allowed, oldest)
        ):
            return Verdict.STAND_IN, ""
        expected = " or ".join(_described(allowed, answer)) or "nothing"
        since_fault = f"; {fault.name} {answer.sent - fault.began:.3f} s before" if fault else ""
        return Verdict.WRONG, f"{expected} (shown before: version {oldest or 'none'}{since_fault})"


def _fits(answer: Answer, version: Version) -> bool:
    return answer.preset == version.preset and (not answer.numbered or answer.number == version.number)


def _restricts_less(answer: Answer, allowed: list[Version], oldest: int) -> bool:
    """Return True if the worker knew a stricter opt-out than that of the answer."""
    if not allowed or oldest < allowed[0].number:
        return False
    return answer.preset != "no-ai" and all(version.preset == "no-ai" for version in allowed)


def _described(versions: list[Version], answer: Answer) -> Iterator[str]:
    for version in versions:
        age = answer.sent - version.begun
        yield f"version {version.number} ({version.preset}, put {age:.3f} s before the request)"
