"""The crawler table: who crawls for AI, under which product token, and what for.

The facts are in ``crawlers.json`` beside this file, each with its source and the date it was read. A token
is never removed: a site policy of last year may name it.
"""

import json
import pkgutil
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from aipolicy.core.preferences import Category


class Purpose(StrEnum):
    """Why a crawler comes."""

    TRAINING = "training"
    DATASET = "dataset"
    SEARCH = "search"
    USER_FETCH = "user-fetch"
    CONTROL = "control"
    SEARCH_ENGINE = "search-engine"
    PREVIEW = "preview"
    OTHER = "other"

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories whose disallowing blocks crawlers of this purpose; none: never blocked."""
        return _CATEGORIES.get(self, ())


_CATEGORIES = {
    Purpose.TRAINING: (Category.TRAIN_AI,),
    Purpose.DATASET: (Category.TRAIN_AI,),
    Purpose.SEARCH: (Category.AI_USE, Category.SEARCH),
    Purpose.USER_FETCH: (Category.AI_USE,),
    # A control token (Google-Extended ...) governs training and grounding alike.
    Purpose.CONTROL: (Category.TRAIN_AI, Category.AI_USE),
}


@dataclass(frozen=True, slots=True)
class Crawler:
    """One line of the table.

    ``obeys_robots_txt`` is what the operator says: ``yes``, ``no``, ``partly`` or ``undocumented``.
    ``robots_cache_hours`` is how long it says that it keeps a robots.txt, or None. ``ranges`` are URLs of
    its published addresses, ``rdns`` suffixes of its host names, ``web_bot_auth`` its signature agent.
    """

    product_token: str
    operator: str
    purpose: Purpose
    obeys_robots_txt: str
    robots_cache_hours: float | None
    ranges: tuple[str, ...]
    rdns: tuple[str, ...]
    web_bot_auth: str | None
    source: str
    checked: date
    note: str | None


def _crawler(entry: dict[str, Any]) -> Crawler:
    typed = {
        "purpose": Purpose(entry["purpose"]),
        "ranges": tuple(entry["ranges"]),
        "rdns": tuple(entry["rdns"]),
        "checked": date.fromisoformat(entry["checked"]),
    }
    return Crawler(**entry | typed)


_TABLE = json.loads(pkgutil.get_data(__package__, "crawlers.json") or b"")

CRAWLERS: tuple[Crawler, ...] = tuple(map(_crawler, _TABLE["crawlers"]))
"""The whole table, sorted by product token."""

LEFT_OUT = MappingProxyType({entry["name"]: entry["reason"] for entry in _TABLE["left_out"]})
"""Names that other lists have and this table doesn't, each with the reason."""

_BY_TOKEN = {crawler.product_token.lower(): crawler for crawler in CRAWLERS}


def crawler_named(product_token: str) -> Crawler | None:
    """The crawler of that product token, in any case (RFC 9309 §2.2.1), or None."""
    return _BY_TOKEN.get(product_token.lower())
