"""The statements of a site about the use of a page, and the places where they are made."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from aipolicy.core.preferences import Category, Preference
from aipolicy.report.text import shorten


class Carrier(StrEnum):
    """The part of a site in which a signal is sent. Only readers of a page receive ``PAGE_CARRIERS``."""

    ROBOTS = "robots.txt"
    HEADER = "header"
    META = "meta tag"
    TDMREP = "tdmrep.json"
    AI_TXT = "ai.txt"


PAGE_CARRIERS = frozenset({Carrier.HEADER, Carrier.META})


USES = MappingProxyType(
    {Category.TRAIN_AI: "AI training", Category.AI_USE: "AI use", Category.SEARCH: "search"}
)
"""The categories in words."""

UNNAMED = "any-other-crawler"
"""The product token that stands for a crawler that no file names."""


class Signal(StrEnum):
    """The convention that a statement follows."""

    ROBOTS = "robots.txt rule"
    AIPREF = "Content-Usage"
    CONTENT_SIGNAL = "Content-Signal"
    TDMREP = "TDMRep"
    X_ROBOTS_TAG = "X-Robots-Tag"
    AI_TXT = "ai.txt"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a site, and the text there as it was sent.

    Attributes:
        carrier: The file, the headers or the tags.
        line: The line, from 1; among headers, of those of one name if there are several; 0 for no number.
        text: The text as it was sent.
        name: The name of the header or tag.
    """

    carrier: Carrier
    line: int
    text: str
    name: str = ""

    @property
    def where(self) -> str:
        """``robots.txt line 12``, ``header X-Robots-Tag``."""
        carrier = f"{self.carrier} {shorten(self.name, 40)}".rstrip(" \t")
        return f"{carrier} line {self.line}" if self.line else carrier

    def __str__(self) -> str:
        return f"{self.where}: {shorten(self.text)}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One yes or no to one category of use."""

    signal: Signal
    category: Category
    preference: Preference
    location: Location


def first_of_each(statements: Iterable[Statement], most: int = 3) -> list[Statement]:
    """Return at most ``most`` statements of each meaning: a file may repeat one ten thousand times."""
    counted: Counter[tuple[Category, Preference]] = Counter()
    kept = []
    for statement in statements:
        key = statement.category, statement.preference
        counted[key] += 1
        if counted[key] <= most:
            kept.append(statement)
    return kept
