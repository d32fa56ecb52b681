"""The operators' published lists of addresses, each with the day on which it was read.

``ranges.json`` beside this file is such a snapshot, made by ``scripts/build_ranges.py``: each list with the
day on which it was read and where the copy came from. A file that ``aipolicy crawlers update`` keeps has what
the lists had before, too (``history``).
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

NEAR = dt.timedelta(days=14)
"""How far a list reaches in time: operators crawl from an address before they list it, and after."""

LONG = dt.timedelta(days=90)
"""After so long without a reading of a list, an address that isn't in it may be by then."""


@dataclass(frozen=True, slots=True)
class AddressList:
    """One published list, or several in one where a copy has them together; or a part of one.

    ``urls`` are where its operator publishes it, ``tokens`` the product tokens of the crawler table that come
    from it (none: others of the operator do), ``date`` is the day on which it was read, ``source`` where the
    copy is from. ``superseded`` is a later day on which the operator is known to have published another one,
    or None: an address in a superseded list was the operator's, but one that isn't may be by now.

    A list that was read several times is in parts, by what became of its prefixes. ``first`` is the day of
    the first reading (None: ``date`` is), ``came`` that of the last reading without the prefixes (None: the
    first reading had them), ``gone`` that of the first reading without them again (None: the last has them).
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
        """Whether its prefixes were the operator's on ``day``, as far as its readings tell."""
        too_early = self.came is not None and self.came - day > NEAR
        too_late = self.gone is not None and day - self.gone > NEAR
        return not too_early and not too_late

    @classmethod
    def from_dict(cls, given: dict[str, Any], limits: Limits = CRAWLERS) -> Self:
        """The inverse of ``to_dict``. Raises RangesError where a prefix is beyond the ``limits``."""
        try:
            return cls(
                urls=_texts(given, "urls", least=1),
                operator=_text(given, "operator"),
                tokens=_texts(given, "tokens"),
                date=dt.date.fromisoformat(given["date"]),
                source=_text(given, "source"),
                prefixes=networks(given["prefixes"], given["operator"], limits),
                superseded=_day(given["superseded"]),
                **{name: _day(given.get(name)) for name in _OPTIONAL},
            )
        except RangesError as error:
            raise RangesError(f"{', '.join(given['urls'])}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise RangesError(f"a list of addresses can't be read: {error!r}") from None

    def to_dict(self) -> dict[str, Any]:
        days = {name: day for name in _OPTIONAL if (day := getattr(self, name)) is not None}
        fields = {name: value for name, value in asdict(self).items() if name not in _OPTIONAL} | days
        shown = {name: day.isoformat() for name, day in fields.items() if isinstance(day, dt.date)}
        return fields | shown | {"prefixes": list(map(str, self.prefixes))}


_OPTIONAL = ("first", "came", "gone")


def _text(given: dict[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text")
    return value


def _texts(given: dict[str, Any], name: str, *, least: int = 0) -> tuple[str, ...]:
    values = given[name]
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be texts in a list")
    if len(values) < least:
        raise ValueError(f"{name} must not be empty")
    return tuple(values)


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Ranges:
    """All lists and parts of lists, and how old they are. At least one that is current: else RangesError.

    ``lists`` are the crawlers', ``proxies`` those of content delivery networks and load balancers.
    """

    lists: tuple[AddressList, ...]
    proxies: tuple[AddressList, ...] = ()

    def __post_init__(self) -> None:
        if not any(published.gone is None for published in self.lists):
            raise RangesError("there are no lists of addresses: give at least one")

    @property
    def current(self) -> tuple[AddressList, ...]:
        """One part of each list that its operator still publishes, as far as is known."""
        return _current(self.lists)

    @property
    def current_proxies(self) -> tuple[AddressList, ...]:
        """``current``, of the proxies."""
        return _current(self.proxies)

    @property
    def oldest(self) -> dt.date:
        """The day on which the list was read that was read first."""
        return min(published.date for published in self.current)

    @property
    def newest(self) -> dt.date:
        """The day on which the list was read that was read last."""
        return max(published.date for published in self.current)

    def of_operator(self, operator: str) -> tuple[AddressList, ...]:
        return tuple(published for published in self.lists if published.operator == operator)

    def of_url(self, url: str) -> tuple[AddressList, ...]:
        """The parts of the list at ``url`` that its operator still publishes; not of copies of several."""
        every = (*self.lists, *self.proxies)
        return tuple(each for each in every if each.urls == (url,) and each.gone is None)

    def read_on(self, url: str) -> dt.date | None:
        """The day on which the list at ``url`` was read last."""
        return max((each.date for each in self.of_url(url)), default=None)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what ``to_json`` wrote. Raises RangesError."""
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise RangesError(f"the lists of addresses can't be read: {error}") from None

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1) + "\n"

    @classmethod
    def from_dict(cls, given: Any) -> Self:
        """The inverse of ``to_dict``. Raises RangesError."""
        try:
            proxies = tuple(AddressList.from_dict(each, PROXIES) for each in given.get("proxies", ()))
            return cls(tuple(map(AddressList.from_dict, given["lists"])), proxies)
        except (KeyError, TypeError, AttributeError) as error:
            raise RangesError(f"the lists of addresses can't be read: {error!r}") from None

    def to_dict(self) -> dict[str, Any]:
        lists = {"lists": [published.to_dict() for published in self.lists]}
        proxies = [published.to_dict() for published in self.proxies]
        return lists | {"proxies": proxies} if proxies else lists


def _current(lists: Iterable[AddressList]) -> tuple[AddressList, ...]:
    return tuple({each.urls: each for each in lists if each.gone is None}.values())


def ordered(lists: Iterable[AddressList], proxies: Iterable[AddressList] = ()) -> Ranges:
    """The lists in the order of a snapshot: by operator, then by URL, then by what became of the parts."""
    return Ranges(tuple(sorted(lists, key=_place)), tuple(sorted(proxies, key=_place)))


def _place(each: AddressList) -> tuple[str, tuple[str, ...], dt.date, dt.date]:
    never = dt.date.min
    return each.operator.lower(), each.urls, each.gone or never, each.came or never


@lru_cache(maxsize=1)
def packaged_ranges() -> Ranges:
    """The snapshot that comes with the package."""
    return Ranges.from_json(resources.files(__package__).joinpath("ranges.json").read_bytes())
