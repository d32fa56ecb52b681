"""The operators' published lists of addresses, as of a day.

``ranges.json`` beside this file is such a snapshot, made by ``scripts/build_ranges.py``: each list with the
day on which it was read and where the copy came from.
"""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Self

from aipolicy.check.identity.prefixes import Network, networks
from aipolicy.errors import RangesError


@dataclass(frozen=True, slots=True)
class AddressList:
    """One published list, or several in one where a copy has them together.

    ``urls`` are where its operator publishes it, ``tokens`` the product tokens of the crawler table that come
    from it (none: others of the operator do), ``date`` is the day on which it was read, ``source`` where the
    copy is from. ``superseded`` is a later day on which the operator is known to have published another one,
    or None: an address in a superseded list was the operator's, but one that isn't may be by now.
    """

    urls: tuple[str, ...]
    operator: str
    tokens: tuple[str, ...]
    date: dt.date
    source: str
    superseded: dt.date | None
    prefixes: tuple[Network, ...]

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """The inverse of ``to_dict``. Raises RangesError where a prefix can't be a crawler's."""
        try:
            superseded = given["superseded"]
            return cls(
                urls=tuple(given["urls"]),
                operator=given["operator"],
                tokens=tuple(given["tokens"]),
                date=dt.date.fromisoformat(given["date"]),
                source=given["source"],
                superseded=None if superseded is None else dt.date.fromisoformat(superseded),
                prefixes=networks(given["prefixes"], given["operator"]),
            )
        except RangesError as error:
            raise RangesError(f"{', '.join(given['urls'])}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise RangesError(f"a list of addresses can't be read: {error!r}") from None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "date": self.date.isoformat(),
            "superseded": self.superseded and self.superseded.isoformat(),
            "prefixes": list(map(str, self.prefixes)),
        }


@dataclass(frozen=True, slots=True)
class Ranges:
    """All lists, and how old they are. At least one: else RangesError."""

    lists: tuple[AddressList, ...]

    def __post_init__(self) -> None:
        if not self.lists:
            raise RangesError("there are no lists of addresses: give at least one")

    @property
    def oldest(self) -> dt.date:
        """The day on which the list was read that was read first."""
        return min(published.date for published in self.lists)

    @property
    def newest(self) -> dt.date:
        """The day on which the list was read that was read last."""
        return max(published.date for published in self.lists)

    def of_operator(self, operator: str) -> tuple[AddressList, ...]:
        return tuple(published for published in self.lists if published.operator == operator)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what ``to_json`` wrote. Raises RangesError."""
        try:
            return cls(tuple(map(AddressList.from_dict, json.loads(text)["lists"])))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise RangesError(f"the lists of addresses can't be read: {error!r}") from None

    def to_json(self) -> str:
        return json.dumps({"lists": [published.to_dict() for published in self.lists]}, indent=1) + "\n"


def ordered(lists: Iterable[AddressList]) -> Ranges:
    """The lists in the order of a snapshot: by operator, then by URL."""
    return Ranges(tuple(sorted(lists, key=lambda published: (published.operator.lower(), published.urls))))


@lru_cache(maxsize=1)
def packaged_ranges() -> Ranges:
    """The snapshot that comes with the package."""
    return Ranges.from_json(resources.files(__package__).joinpath("ranges.json").read_bytes())
