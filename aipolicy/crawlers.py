"""A platform's own entries for the crawler table, read from a file.

The file has the shape of the packaged table, ``{"crawlers": [...]}``, or is the list alone, as ``aipolicy
crawlers --json`` writes it. It adds crawlers to the table, or corrects their fields, for everything that a
process does: writing files and headers, refusing crawlers, and checking. The environment variable
``AIPOLICY_CRAWLERS`` names the file for all processes of a machine; ``load`` reads it for one. Load it first,
because existing renderings don't change.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from aipolicy.core.crawlers import LEFT_OUT, PACKAGED, CrawlerTable, set_table_reader, use_table
from aipolicy.errors import CrawlersError

VARIABLE = "AIPOLICY_CRAWLERS"
"""The environment variable that names the file."""

_MAX_BYTES = 8 * 1024 * 1024


def load(file: str | os.PathLike[str]) -> CrawlerTable:
    """Use the packaged table with the entries of ``file`` in this process and its child processes.

    Raises:
        CrawlersError: The file can't be read, or an entry is invalid. The table doesn't change then.
    """
    table = read_table(file)
    use_table(table)
    os.environ[VARIABLE] = str(Path(file).absolute())
    return table


def read_table(file: str | os.PathLike[str]) -> CrawlerTable:
    """Return the packaged table with the entries of ``file``.

    Raises:
        CrawlersError: The file can't be read, or an entry is invalid; the message names the file, the entry
            and the fix.
    """
    name = str(file)
    try:
        return PACKAGED.with_entries(read_json(file), name)
    except CrawlersError as error:
        raise CrawlersError(f"crawler table {name!r}: {error}") from None


def read_json(file: str | os.PathLike[str]) -> Any:
    """Return the parsed JSON of a file of at most 8 MiB.

    Raises:
        CrawlersError: The file can't be read, or isn't JSON; the message doesn't name the file.
    """
    try:
        if not Path(file).is_file():
            problem = "is not a file" if Path(file).exists() else "doesn't exist"
            raise CrawlersError(f"it {problem}; give the path of a JSON file")
        with Path(file).open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, CrawlersError):
            raise
        raise CrawlersError(
            f"it can't be read ({getattr(error, 'strerror', None) or error}); check its permissions"
        ) from None
    return parse(content)


def parse(content: bytes) -> Any:
    """Return parsed JSON.

    Raises:
        CrawlersError: It is larger than 8 MiB, isn't JSON, or has a duplicate member.
    """
    if len(content) > _MAX_BYTES:
        raise CrawlersError(f"it is larger than {_MAX_BYTES // 1024 // 1024} MiB; remove entries")
    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=_unique_members, parse_constant=_refuse_constant
        )
    except CrawlersError:
        raise
    except UnicodeDecodeError:
        raise CrawlersError("it isn't UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise CrawlersError('it is nested too deeply; write {"crawlers": [{"product_token": ...}]}') from None
    except ValueError as error:
        raise CrawlersError(f"it isn't JSON ({str(error)[:200]})") from None


@dataclass(frozen=True, slots=True)
class NewNames:
    """The names that ai.robots.txt lists and a table lacks.

    Attributes:
        entries: Entries for a file, as unclassified training crawlers.
        refused: Names that aren't valid product tokens or would block other crawlers, with the reason.
    """

    entries: tuple[dict[str, Any], ...]
    refused: tuple[tuple[str, str], ...]


AI_ROBOTS_TXT = "https://github.com/ai-robots-txt/ai.robots.txt"
_MAX_NAMES = 2000
_VERSION = re.compile(r"(?:/.*| v?\d[\w.]*)$")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def new_names(document: Any, table: CrawlerTable, *, source: str = AI_ROBOTS_TXT, day: date) -> NewNames:
    """Return the names in robots.json of ai.robots.txt that ``table`` lacks.

    Their entries have the purpose ``training`` and the class ``listed``, so that only an opt-out of scope
    ``broad`` names them. Names that the table leaves out for a reason aren't new.

    Args:
        document: The parsed JSON: ``{token: {"operator": ..., "function": ...}}``.
        table: The table to compare with.
        source: The address of the document.
        day: The day on which it was read.

    Raises:
        CrawlersError: The document has another shape.
    """
    if not isinstance(document, dict) or not all(isinstance(each, dict) for each in document.values()):
        raise CrawlersError(
            "it isn't an object of objects by product token; give robots.json of ai.robots.txt"
        )
    if len(document) > _MAX_NAMES:
        raise CrawlersError(f"it has {len(document)} names; at most {_MAX_NAMES} are allowed")
    left_out = {name.lower() for name in LEFT_OUT}
    found: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for name, about in document.items():
        token = _VERSION.sub("", name).strip()
        if any(each in table.by_token or each in left_out for each in (name.lower(), token.lower())):
            continue
        entry = _unclassified(token, about, source, day)
        try:
            table = table.with_entries([entry])
        except CrawlersError as error:
            refused[name] = re.sub(r"^entry \d+[^:]*: ", "", str(error))
        else:
            found.append(entry)
    return NewNames(tuple(found), tuple(refused.items()))


def _unclassified(token: str, about: dict[str, Any], source: str, day: date) -> dict[str, Any]:
    operator = _LINK.sub(r"\1", str(about.get("operator", "")))
    operator = "".join(c for c in operator if c.isprintable()).strip()[:100]
    known = "" if operator.lower().startswith(("unclear", "unknown")) else operator
    return {
        "product_token": token,
        "operator": known or "unknown",
        "purpose": "training",
        "class": "listed",
        "source": source,
        "checked": day.isoformat(),
        "note": "Not classified: taken from ai.robots.txt.",
        "evidence": [{"url": source, "date": day.isoformat(), "source": "list", "says": "ai"}],
    }


def with_entries(document: Any, entries: Iterable[dict[str, Any]]) -> str:
    """Return the text of a file with ``entries`` added to ``document``, its parsed JSON."""
    kept = dict(document) if isinstance(document, dict) else {"crawlers": document}
    kept["crawlers"] = [*kept["crawlers"], *entries]
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a duplicate member: JSON doesn't define which of them counts."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise CrawlersError(f"an object has the member {ascii(duplicate)[:80]} twice; remove one")
    return members


def _refuse_constant(name: str) -> Any:
    raise CrawlersError(f"{name} isn't JSON; write a number")


def _from_environment() -> CrawlerTable:
    file = os.environ.get(VARIABLE)
    if not file:
        return PACKAGED
    try:
        return read_table(file)
    except CrawlersError as error:
        raise CrawlersError(f"{VARIABLE}: {error}") from None


set_table_reader(_from_environment)
