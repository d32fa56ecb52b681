"""What a site says about the use of a page, one statement for each place that says it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from aipolicy.core.preferences import Category, Preference
from aipolicy.report.text import shown


class Carrier(StrEnum):
    """What a signal travels in. ``PAGE_CARRIERS`` are those that only a reader of the page meets."""

    ROBOTS = "robots.txt"
    HEADER = "header"
    META = "meta tag"
    TDMREP = "tdmrep.json"
    AI_TXT = "ai.txt"


PAGE_CARRIERS = frozenset({Carrier.HEADER, Carrier.META})


class Signal(StrEnum):
    """The convention that a statement is of."""

    ROBOTS = "robots.txt rule"
    AIPREF = "Content-Usage"
    CONTENT_SIGNAL = "Content-Signal"
    TDMREP = "TDMRep"
    X_ROBOTS_TAG = "X-Robots-Tag"
    AI_TXT = "ai.txt"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, and its ``text`` there as it was sent.

    ``line`` counts from 1; of headers those of one name, where there are several; 0: lines don't count.
    ``name`` is a header's or a tag's.
    """

    carrier: Carrier
    line: int
    text: str
    name: str = ""

    @property
    def where(self) -> str:
        """``robots.txt line 12``, ``header X-Robots-Tag``."""
        what = f"{self.carrier} {shown(self.name, 40)}".rstrip(" \t")
        return f"{what} line {self.line}" if self.line else what

    def __str__(self) -> str:
        return f"{self.where}: {shown(self.text)}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One yes or no to one category of use."""

    signal: Signal
    category: Category
    preference: Preference
    place: Place


def first_of_each(statements: Iterable[Statement], most: int = 3) -> list[Statement]:
    """The first ``most`` that say the same of one category: a file may say it ten thousand times."""
    counted: Counter[tuple[Category, Preference]] = Counter()
    kept = []
    for statement in statements:
        said = statement.category, statement.preference
        counted[said] += 1
        if counted[said] <= most:
            kept.append(statement)
    return kept
