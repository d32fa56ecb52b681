"""The crawler table: the AI crawlers by product token, their operators and purposes, with the sources.

The facts are in ``crawlers.json`` in this folder, each with its source and the date on which it was read. A
token is never removed, because an old site policy may name it. A process uses one table, ``crawler_table()``:
the packaged one, with the entries of the owner's platform if there are any (``aipolicy.crawlers``).
"""

import json
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, overload

from aipolicy.core.preferences import Category
from aipolicy.errors import CrawlersError


class Purpose(StrEnum):
    """The purpose of a crawler."""

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
        """The categories that block this purpose if one is disallowed; empty if it is never blocked."""
        return _CATEGORIES.get(self, ())


_CATEGORIES = {
    Purpose.TRAINING: (Category.TRAIN_AI,),
    Purpose.DATASET: (Category.TRAIN_AI,),
    Purpose.SEARCH: (Category.AI_USE, Category.SEARCH),
    Purpose.USER_FETCH: (Category.AI_USE,),
    # A control token (Google-Extended ...) governs training and grounding alike.
    Purpose.CONTROL: (Category.TRAIN_AI, Category.AI_USE),
}


class EvidenceClass(StrEnum):
    """The evidence class of a crawler's purpose."""

    DOCUMENTED = "documented"
    """The operator's page says it, or two independent sources do."""
    LISTED = "listed"
    """Less evidence, mostly one third-party list."""


class Scope(StrEnum):
    """The crawlers that an opt-out names."""

    DOCUMENTED = "documented"
    """Those whose purpose is documented."""
    BROAD = "broad"
    """Also those that are only listed."""


class Evidence(NamedTuple):
    """A source for the purpose of a crawler.

    Attributes:
        url: The address of the source.
        date: The day on which it was read, or of the copy that was read.
        source: ``operator``, ``platform`` (one that offers a block list to its users) or ``list``.
        says: The purpose that it states; ``ai`` for an AI crawler without a stated purpose; ``unclear``.
    """

    url: str
    date: date
    source: str
    says: str


@dataclass(frozen=True, slots=True)
class Crawler:
    """One entry of the table.

    Attributes:
        product_token: The name in User-agent lines.
        operator: The company or project that runs it.
        purpose: The purpose of its fetches.
        obeys_robots_txt: The operator's statement: ``yes``, ``no``, ``partly`` or ``undocumented``.
        robots_cache_hours: Hours for which it keeps a robots.txt, as the operator documents it, or None.
        ranges: URLs of its published addresses.
        rdns: Suffixes of its host names.
        web_bot_auth: Its signature agent, or None.
        source: URL of the main source.
        checked: The day on which the entry was checked.
        note: A remark for people; programs don't read it.
        evidence_class: The class of the evidence for its purpose; ``class`` in JSON.
        evidence: The sources for its purpose.
        namesakes: Parts of the User-Agents of other clients that use the same name.
        own_group_only: True if it obeys only a group that names it, and not the group for ``*``.
        reported_to_ignore: True if it is reported to ignore robots.txt, whatever its operator says.
        superseded_by: The product tokens of a retired crawler's successors; None if it isn't retired.
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
    checked: date | None
    note: str | None
    evidence_class: EvidenceClass = EvidenceClass.DOCUMENTED
    evidence: tuple[Evidence, ...] = ()
    namesakes: tuple[str, ...] = ()
    own_group_only: bool = False
    reported_to_ignore: bool = False
    superseded_by: tuple[str, ...] | None = None

    @property
    def listed(self) -> bool:
        """True if its purpose is only listed, not documented."""
        return self.evidence_class is EvidenceClass.LISTED

    @property
    def exempt(self) -> bool:
        """True if it acts for a user and its operator says that robots.txt may not apply."""
        return self.purpose is Purpose.USER_FETCH and self.obeys_robots_txt in ("no", "partly")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in the table's file."""
        plain = {name: _plain(getattr(self, name)) for name in _FIELDS}
        evidence = [each._asdict() | {"date": each.date.isoformat()} for each in self.evidence]
        return {_IN_JSON.get(name, name): value for name, value in plain.items()} | {"evidence": evidence}


_FIELDS = tuple(field.name for field in fields(Crawler) if field.name != "evidence")
_IN_JSON = {"evidence_class": "class"}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, StrEnum) else value


@dataclass(frozen=True, slots=True, eq=False)
class CrawlerTable:
    """A table of crawlers, sorted by product token. Picklable.

    Attributes:
        crawlers: The entries.
        compiled: The day on which the packaged table was compiled.
        added: Product tokens that the packaged table doesn't have.
        corrected: Product tokens whose entry differs from the packaged table's.
        file: The file that added and corrected entries come from.
        by_token: The entries by product token in lower case.
    """

    crawlers: tuple[Crawler, ...]
    compiled: date
    added: tuple[str, ...] = ()
    corrected: tuple[str, ...] = ()
    file: str | None = None
    by_token: Mapping[str, Crawler] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_token = {crawler.product_token.lower(): crawler for crawler in self.crawlers}
        object.__setattr__(self, "by_token", by_token)

    def with_entries(self, document: Any, file: str | None = None) -> "CrawlerTable":
        """Return this table with entries added or corrected.

        Args:
            document: Parsed JSON in the shape of the table's file: ``{"crawlers": [...]}``, or the list
                alone. For a crawler of the table only the fields that differ are needed, for a new one
                ``product_token`` and ``purpose``. A new entry is documented unless its ``class`` says
                otherwise.
            file: The name of the file for messages.

        Raises:
            CrawlersError: An entry is invalid; the message names it and the fix.
        """
        entries = dict(self.by_token)
        tokens: dict[str, str] = {}
        added: list[str] = []
        corrected: list[str] = []
        for number, entry in enumerate(_entries(document), 1):
            token = _token(number, entry)
            if token.lower() in tokens:
                raise CrawlersError(
                    f"entry {number}: {token!r} repeats {tokens[token.lower()]!r} (case makes no "
                    "difference); remove one of them"
                )
            tokens[token.lower()] = token
            known = self.by_token.get(token.lower())
            crawler = _read(f"entry {number} ({token})", entry, token, known)
            if known is None:
                added.append(crawler.product_token)
            elif crawler != known:
                corrected.append(crawler.product_token)
            entries[token.lower()] = crawler
        crawlers = tuple(sorted(entries.values(), key=lambda crawler: crawler.product_token.lower()))
        size = sum(len("User-agent: \n") + len(crawler.product_token) for crawler in crawlers)
        if size > _MAX_BYTES:
            raise CrawlersError(
                f"its names would take {size} bytes of each robots.txt, and {_MAX_BYTES} are allowed; "
                "crawlers read 500 KiB and a site has rules of its own; remove some"
            )
        _check_names([entries[name] for name in tokens], crawlers)
        return CrawlerTable(crawlers, self.compiled, tuple(added), tuple(corrected), file)


_MAX_ENTRIES, _MAX_VALUES, _MAX_LENGTH = 5000, 100, 300
_MAX_BYTES = 128 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+(?: [A-Za-z0-9_.-]+)*")
_VERSION = re.compile(r"v?[0-9][A-Za-z0-9_.]*")
_MAX_TOKEN = 64
_RFC_TOKEN = re.compile(r"[A-Za-z_-]*")
_HTTPS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?(?:[/?#][\x21-\x7e]*)?")
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+")
_OBEYS = ("yes", "no", "partly", "undocumented")
_SOURCES = ("operator", "platform", "list")
_TOP = frozenset({"crawlers", "about", "checked", "left_out"})
_SHORTEST_NAMESAKE = 4


def _entries(document: Any) -> list[Any]:
    if isinstance(document, list):  # as `aipolicy crawlers --json` writes it
        document = {"crawlers": document}
    if not isinstance(document, dict) or not isinstance(document.get("crawlers"), list):
        raise CrawlersError('it has no list "crawlers"; write {"crawlers": [{"product_token": ...}]}')
    unknown = sorted(set(document) - _TOP)
    if unknown:
        raise CrawlersError(f'the member {unknown[0]!r} is unknown; put entries into "crawlers"')
    entries: list[Any] = document["crawlers"]
    if len(entries) > _MAX_ENTRIES:
        raise CrawlersError(f"it has {len(entries)} entries; at most {_MAX_ENTRIES} are allowed")
    return entries


def _token(number: int, entry: Any) -> str:
    where = f"entry {number}"
    if not isinstance(entry, dict):
        raise CrawlersError(f'{where} is {_short(entry)}; write an object, {{"product_token": ...}}')
    token = entry.get("product_token")
    if not isinstance(token, str):
        raise CrawlersError(f"{where} has no product_token; give the name that User-agent lines use")
    good = len(token) <= _MAX_TOKEN and _TOKEN.fullmatch(token) and re.search("[A-Za-z]", token)
    if not good:
        raise CrawlersError(
            f"{where}: {_short(token)} is not a valid product token; use letters, digits, '-', '_' and '.', "
            f"at most {_MAX_TOKEN}, with single spaces between words"
        )
    if _VERSION.fullmatch(token.rpartition(" ")[2]):
        raise CrawlersError(f"{where}: {token!r} ends in a version, which is not part of a token; remove it")
    return token


def _read(where: str, fields: Mapping[str, Any], token: str, known: Crawler | None) -> Crawler:
    names = {_IN_JSON.get(name, name) for name in (*_FIELDS, "evidence")}
    unknown = sorted(set(map(str, fields)) - names - {"blocked_by"})
    if unknown:
        import difflib  # needed for errors only

        near = difflib.get_close_matches(unknown[0][:_MAX_LENGTH], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the fields are {', '.join(sorted(names))}"
        raise CrawlersError(f"{where} has an unknown field {_short(unknown[0])}; {hint}")
    if known is None:
        if "purpose" not in fields:
            raise CrawlersError(f"{where} has no purpose; give one of {', '.join(Purpose)}")
        base = dict(_NEW)
    else:
        base = known.to_dict()
    entry = base | dict(fields) | {"product_token": known.product_token if known else token}
    return Crawler(
        product_token=entry["product_token"],
        operator=_text(where, "operator", entry["operator"]),
        purpose=Purpose(_choice(where, "purpose", entry["purpose"], tuple(Purpose))),
        obeys_robots_txt=_choice(where, "obeys_robots_txt", entry["obeys_robots_txt"], _OBEYS),
        robots_cache_hours=_hours(where, entry["robots_cache_hours"]),
        ranges=_values(where, "ranges", entry["ranges"], _HTTPS, "https URLs"),
        rdns=_values(where, "rdns", entry["rdns"], _HOST, "host names like 'crawl.example.com'"),
        web_bot_auth=_optional_url(where, "web_bot_auth", entry["web_bot_auth"]),
        source=_optional_url(where, "source", entry["source"] or None) or "",
        checked=_day(where, "checked", entry["checked"]),
        note=None if entry["note"] is None else _text(where, "note", entry["note"]),
        evidence_class=EvidenceClass(_choice(where, "class", entry["class"], tuple(EvidenceClass))),
        evidence=_evidence(where, entry["evidence"]),
        namesakes=_values(where, "namesakes", entry["namesakes"], _NAMESAKE, _NAMESAKE_FIX),
        own_group_only=_flag(where, "own_group_only", entry["own_group_only"]),
        reported_to_ignore=_flag(where, "reported_to_ignore", entry["reported_to_ignore"]),
        superseded_by=_successors(where, entry["superseded_by"]),
    )


_NAMESAKE = re.compile(rf"[\x20-\x7e]{{{_SHORTEST_NAMESAKE},200}}")
_NAMESAKE_FIX = f"texts of {_SHORTEST_NAMESAKE} to 200 printable ASCII characters"
_NEW: Mapping[str, Any] = MappingProxyType(
    {
        "operator": "unknown",
        "obeys_robots_txt": "undocumented",
        "robots_cache_hours": None,
        "ranges": [],
        "rdns": [],
        "web_bot_auth": None,
        "source": None,
        "checked": None,
        "note": None,
        "class": "documented",
        "evidence": [],
        "namesakes": [],
        "own_group_only": False,
        "reported_to_ignore": False,
        "superseded_by": None,
    }
)


def _short(value: Any) -> str:
    try:
        text = ascii(value)
    except RecursionError:
        text = "nested too deeply"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _text(where: str, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _MAX_LENGTH:
        raise CrawlersError(
            f"{where}: {name} is {_short(value)}; write one line of at most {_MAX_LENGTH} characters"
        )
    return value


def _choice(where: str, name: str, value: Any, choices: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise CrawlersError(f"{where}: {name} is {_short(value)}; choose one of {', '.join(choices)}")
    return value


def _hours(where: str, value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value <= 24 * 366):
        raise CrawlersError(
            f"{where}: robots_cache_hours is {_short(value)}; write hours from 0 to {24 * 366}, or null"
        )
    return None if value is None else value


def _values(where: str, name: str, value: Any, pattern: re.Pattern[str], fix: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAX_VALUES:
        raise CrawlersError(
            f"{where}: {name} is {_short(value)}; write a list of at most {_MAX_VALUES} {fix}"
        )
    for item in value:
        if not isinstance(item, str) or len(item) > _MAX_LENGTH or not pattern.fullmatch(item):
            raise CrawlersError(f"{where}: {name} has {_short(item)}; write {fix}")
    return tuple(dict.fromkeys(value))


def _optional_url(where: str, name: str, value: Any) -> str | None:
    return None if value is None else _values(where, name, [value], _HTTPS, "an https URL, or null")[0]


def _flag(where: str, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise CrawlersError(f"{where}: {name} is {_short(value)}; write true or false")
    return value


def _successors(where: str, value: Any) -> tuple[str, ...] | None:
    return None if value is None else _values(where, "superseded_by", value, _TOKEN, "product tokens")


def _day(where: str, name: str, value: Any) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise CrawlersError(f"{where}: {name} is {_short(value)}; write a day like 2026-11-30") from None


def _evidence(where: str, value: Any) -> tuple[Evidence, ...]:
    if not isinstance(value, list) or len(value) > _MAX_VALUES:
        raise CrawlersError(f"{where}: evidence is {_short(value)}; write a list of objects")
    return tuple(_one_evidence(f"{where}: evidence {number}", each) for number, each in enumerate(value, 1))


def _one_evidence(where: str, value: Any) -> Evidence:
    if not isinstance(value, dict) or set(value) != set(Evidence._fields):
        raise CrawlersError(
            f"{where} is {_short(value)}; write an object with exactly {', '.join(Evidence._fields)}"
        )
    day = _day(where, "date", value["date"])
    url = _optional_url(where, "url", value["url"])
    if day is None or url is None:
        raise CrawlersError(
            f"{where}: url and date can't be null; give the source's address and the day it was read"
        )
    source = _choice(where, "source", value["source"], _SOURCES)
    return Evidence(url, day, source, _choice(where, "says", value["says"], (*Purpose, "ai", "unclear")))


def _check_names(new: Sequence[Crawler], crawlers: Sequence[Crawler]) -> None:
    """Refuse names that some parsers would take for the name of another crawler.

    Google's parser reads a name up to the first character that RFC 9309 §2.2.1 doesn't allow; other parsers
    search for a name anywhere in a crawler's.
    """
    by_token = {crawler.product_token.lower(): crawler for crawler in crawlers}
    open_names = [c.product_token.lower() for c in crawlers if not c.purpose.categories]
    new_names = {crawler.product_token for crawler in new}
    for crawler in crawlers:
        token = crawler.product_token
        cut = _RFC_TOKEN.match(token)
        other = by_token.get(cut[0].lower()) if cut else None
        cut_short = other is not None and other.operator != crawler.operator
        if other is not None and cut_short and {token, other.product_token} & new_names:
            raise CrawlersError(
                f"some parsers read {token!r} as {other.product_token!r}, which is another operator's; "
                "give both the same operator, or remove the entry"
            )
    for crawler in new:
        name = crawler.product_token.lower()
        shut_out = [each for each in open_names if name in each] if crawler.purpose.categories else []
        if shut_out:
            raise CrawlersError(
                f"{crawler.product_token!r} is part of {by_token[shut_out[0]].product_token!r}, which no "
                "opt-out blocks; parsers that look for a name anywhere would block it too; remove the entry"
            )


def _packaged() -> tuple[CrawlerTable, Mapping[str, str]]:
    source = json.loads(pkgutil.get_data(__package__, "crawlers.json") or b"")
    crawlers = tuple(_trusted(entry) for entry in source["crawlers"])
    left_out = {entry["name"]: entry["reason"] for entry in source["left_out"]}
    return CrawlerTable(crawlers, date.fromisoformat(source["checked"])), MappingProxyType(left_out)


def _trusted(entry: dict[str, Any]) -> Crawler:
    """Read an entry of the packaged table without validation; a test validates them all."""
    typed = {
        "purpose": Purpose(entry["purpose"]),
        "ranges": tuple(entry["ranges"]),
        "rdns": tuple(entry["rdns"]),
        "checked": date.fromisoformat(entry["checked"]),
        "evidence_class": EvidenceClass(entry.pop("class")),
        "evidence": tuple(
            Evidence(each["url"], date.fromisoformat(each["date"]), each["source"], each["says"])
            for each in entry["evidence"]
        ),
        "namesakes": tuple(entry.get("namesakes", ())),
        "superseded_by": tuple(entry["superseded_by"]) if "superseded_by" in entry else None,
    }
    return Crawler(**entry | typed)


PACKAGED, LEFT_OUT = _packaged()
"""The packaged table, and the names that other lists have and it doesn't, each with the reason."""

_table: CrawlerTable | None = None


def _read_table() -> CrawlerTable:
    return PACKAGED


def crawler_table() -> CrawlerTable:
    """Return the table that this process uses.

    Raises:
        CrawlersError: The file that the table is read from is invalid.
    """
    global _table
    if _table is None:
        _table = _read_table()
    return _table


def use_table(table: CrawlerTable) -> None:
    """Use ``table`` in this process from now on. Existing renderings don't change."""
    global _table
    _table = table


def set_table_reader(read: Callable[[], CrawlerTable]) -> None:
    """Set the function that returns the table when it is first needed."""
    global _read_table
    _read_table = read


T = TypeVar("T")


def from_table(make: Callable[[CrawlerTable], T]) -> Callable[[], T]:
    """Return a function that returns ``make(crawler_table())``, computed once for each table."""
    made: tuple[CrawlerTable, T] | None = None

    def value() -> T:
        nonlocal made
        table = crawler_table()
        known = made
        if known is None or known[0] is not table:
            made = known = (table, make(table))
        return known[1]

    return value


class _Crawlers(Sequence[Crawler]):
    """The entries of the table in use."""

    def __len__(self) -> int:
        return len(crawler_table().crawlers)

    def __iter__(self) -> Iterator[Crawler]:
        return iter(crawler_table().crawlers)

    @overload
    def __getitem__(self, index: int) -> Crawler: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Crawler, ...]: ...
    def __getitem__(self, index: int | slice) -> Crawler | tuple[Crawler, ...]:
        return crawler_table().crawlers[index]


CRAWLERS: Sequence[Crawler] = _Crawlers()
"""The table that this process uses, sorted by product token."""


def crawler_named(product_token: str) -> Crawler | None:
    """Return the crawler with that product token, in any case (RFC 9309 §2.2.1), or None."""
    table = _table or crawler_table()
    return table.by_token.get(product_token.lower())
