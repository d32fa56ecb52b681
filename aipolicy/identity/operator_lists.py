"""The operators' published lists of addresses, each with the day on which it was read.

``ranges.json`` in this directory is the packaged snapshot, made by ``scripts/build_ranges.py``. A file of
``aipolicy crawlers update`` also has the history of each list (``list_history``).
"""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Self

from aipolicy.errors import RangesError
from aipolicy.identity.prefixes import CRAWLERS, PROXIES, Limits, Network, networks

LIST_MARGIN = dt.timedelta(days=14)
"""The time before and after its readings for which a list counts: operators update lists early or late."""

LIST_MAX_AGE = dt.timedelta(days=90)
"""The age after which a list proves no forgery: an address may have been added since its last reading."""


@dataclass(frozen=True, slots=True)
class AddressList:
    """A published list, a copy that combines several lists, or a part of a list.

    A list that was read several times has several parts: prefixes that were added and removed at the same
    times are in one part.

    Attributes:
        urls: The URLs where the operator publishes it; several for a combined copy.
        operator: The operator.
        tokens: The product tokens of the crawlers that use it; empty if they are not in the crawler table.
        date: The day of the last reading.
        source: The URL that it was read from.
        superseded: A later day on which the operator is known to have published a newer list, or None. A
            superseded list still verifies its addresses, but says nothing about others.
        prefixes: The prefixes.
        first: The day of the first reading; None if it is ``date``.
        came: The day of the last reading before the prefixes were added; None if the first reading had them.
        gone: The day of the first reading after the prefixes were removed; None if the last reading has them.
    """

    urls: tuple[str, ...]
    operator: str
    tokens: tuple[str, ...]
    date: dt.date
    source: str
    superseded: dt.date | None
    prefixes: tuple[Network, ...]
    first: dt.date | None = None
    came: dt.date | None = None
    gone: dt.date | None = None

    @property
    def since(self) -> dt.date:
        """The day of the first reading."""
        return self.first or self.date

    def counts_on(self, day: dt.date) -> bool:
        """Return True if its prefixes were the operator's on ``day``, according to its readings."""
        too_early = self.came is not None and self.came - day > LIST_MARGIN
        too_late = self.gone is not None and day - self.gone > LIST_MARGIN
        return not too_early and not too_late

    @classmethod
    def from_dict(cls, document: dict[str, Any], limits: Limits = CRAWLERS) -> Self:
        """Read the result of ``to_dict``.

        Raises:
            RangesError: It is invalid, or a prefix is beyond ``limits``.
        """
        try:
            return cls(
                urls=_strings(document, "urls", minimum=1),
                operator=_string(document, "operator"),
                tokens=_strings(document, "tokens"),
                date=dt.date.fromisoformat(document["date"]),
                source=_string(document, "source"),
                prefixes=networks(document["prefixes"], document["operator"], limits),
                superseded=_day(document["superseded"]),
                **{name: _day(document.get(name)) for name in _OPTIONAL},
            )
        except RangesError as error:
            raise RangesError(f"{', '.join(document['urls'])}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise RangesError(f"an address list can't be read: {error!r}") from None

    def to_dict(self) -> dict[str, Any]:
        days = {name: day for name in _OPTIONAL if (day := getattr(self, name)) is not None}
        fields = {name: value for name, value in asdict(self).items() if name not in _OPTIONAL} | days
        dates = {name: day.isoformat() for name, day in fields.items() if isinstance(day, dt.date)}
        return fields | dates | {"prefixes": list(map(str, self.prefixes))}


_OPTIONAL = ("first", "came", "gone")


def _string(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    return value


def _strings(document: dict[str, Any], name: str, *, minimum: int = 0) -> tuple[str, ...]:
    values = document[name]
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be a list of strings")
    if len(values) < minimum:
        raise ValueError(f"{name} must not be empty")
    return tuple(values)


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Ranges:
    """All address lists.

    Attributes:
        lists: The lists of crawlers.
        proxies: The lists of content delivery networks and load balancers.

    Raises:
        RangesError: No list is current.
    """

    lists: tuple[AddressList, ...]
    proxies: tuple[AddressList, ...] = ()

    def __post_init__(self) -> None:
        if not any(published.gone is None for published in self.lists):
            raise RangesError("there is no address list: at least one is required")

    @property
    def current(self) -> tuple[AddressList, ...]:
        """One part of each list that its operator still publishes, according to the last reading."""
        return _current(self.lists)

    @property
    def current_proxies(self) -> tuple[AddressList, ...]:
        """``current`` for the proxies."""
        return _current(self.proxies)

    @property
    def oldest(self) -> dt.date:
        """The day of the oldest reading."""
        return min(published.date for published in self.current)

    @property
    def newest(self) -> dt.date:
        """The day of the newest reading."""
        return max(published.date for published in self.current)

    def of_operator(self, operator: str) -> tuple[AddressList, ...]:
        return tuple(published for published in self.lists if published.operator == operator)

    def of_url(self, url: str) -> tuple[AddressList, ...]:
        """Return the current parts of the list at ``url``, without copies of several lists."""
        every = (*self.lists, *self.proxies)
        return tuple(each for each in every if each.urls == (url,) and each.gone is None)

    def read_on(self, url: str) -> dt.date | None:
        """Return the day on which the list at ``url`` was last read, or None."""
        return max((each.date for each in self.of_url(url)), default=None)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the result of ``to_json``.

        Raises:
            RangesError: It is invalid.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise RangesError(f"the address lists can't be read: {error}") from None

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read the result of ``to_dict``.

        Raises:
            RangesError: It is invalid.
        """
        try:
            proxies = tuple(AddressList.from_dict(each, PROXIES) for each in document.get("proxies", ()))
            return cls(tuple(map(AddressList.from_dict, document["lists"])), proxies)
        except (KeyError, TypeError, AttributeError) as error:
            raise RangesError(f"the address lists can't be read: {error!r}") from None

    def to_dict(self) -> dict[str, Any]:
        lists = {"lists": [published.to_dict() for published in self.lists]}
        proxies = [published.to_dict() for published in self.proxies]
        return lists | {"proxies": proxies} if proxies else lists


def _current(lists: Iterable[AddressList]) -> tuple[AddressList, ...]:
    return tuple({each.urls: each for each in lists if each.gone is None}.values())


def ordered(lists: Iterable[AddressList], proxies: Iterable[AddressList] = ()) -> Ranges:
    """Return the lists sorted by operator, URL, and the days on which prefixes were removed and added."""
    return Ranges(tuple(sorted(lists, key=_sort_key)), tuple(sorted(proxies, key=_sort_key)))


def _sort_key(each: AddressList) -> tuple[str, tuple[str, ...], dt.date, dt.date]:
    never = dt.date.min
    return each.operator.lower(), each.urls, each.gone or never, each.came or never


@lru_cache(maxsize=1)
def packaged_ranges() -> Ranges:
    """Return the packaged snapshot."""
    return Ranges.from_json(resources.files(__package__).joinpath("ranges.json").read_bytes())
