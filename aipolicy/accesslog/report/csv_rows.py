"""The counts as CSV rows, for a spreadsheet or a program."""

from collections.abc import Iterator, Mapping
from typing import Any

from aipolicy.accesslog.report.labels import IDENTITIES, VERDICTS, Document
from aipolicy.report.text import printable

# Characters that begin a formula in a spreadsheet, in both widths.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_IDENTITIES = (
    *(f"identity_{key}" for key in IDENTITIES),
    *(f"disallowed_by_identity_{key}" for key in IDENTITIES if key != "spoofed"),
)
_COUNTERS = ("fetches", *VERDICTS, *_IDENTITIES)
_DISALLOWED = ("first_disallowed", "last_disallowed")
_ROBOTS_TXT = ("first_read", "last_read", "seconds_before_first_disallowed")
_RULE = ("rule", "rule_line", "rule_disallowed")
_CRAWLER = (
    *("product_token", "operator", "purpose"),
    *_COUNTERS,
    *("first", "last"),
    *_DISALLOWED,
    *(f"robots_txt_{name}" for name in _ROBOTS_TXT),
    *_RULE,
)


def csv_rows(document: Document) -> Iterator[list[str]]:
    """Yield a heading and one row per crawler, or per row of ``by`` if the document has it.

    Columns are named like the JSON keys: ``identity_verified`` is ``identity.verified``. The first column of
    ``by`` has the name of its key (``site``, ``path``, ``day``, ``crawler``). ``rule``, ``rule_line`` and
    ``rule_disallowed`` are about the rule that was broken most often. Null is an empty cell.

    Text may be hostile: controls and direction marks are written as ``\\x1b`` or ``\\u202e``, and a cell that
    begins with = + - @ (or a tab or line end) gets a leading apostrophe, so that no spreadsheet runs it as a
    formula. Write the rows with ``csv.writer``, which quotes them by RFC 4180.
    """
    by = document["by"]
    if by is None:
        yield list(_CRAWLER)
        for crawler in document["crawlers"]:
            found = _flat(crawler) | dict(zip(_RULE, _most_broken(crawler), strict=True))
            yield [_cell(found[name]) for name in _CRAWLER]
    else:
        yield [by["key"], *_COUNTERS, *_DISALLOWED]
        for row in by["rows"]:
            found = _flat(row)
            yield [_cell(found[name]) for name in ("key", *_COUNTERS, *_DISALLOWED)]


def _flat(counters: Document) -> dict[str, Any]:
    """Flatten ``{"identity": {"verified": 1}}`` to ``{"identity_verified": 1}``."""
    found: dict[str, Any] = {}
    for name, value in counters.items():
        inner = {f"{name}_{key}": part for key, part in value.items()} if isinstance(value, Mapping) else {}
        found |= inner or {name: value}
    return found


def _most_broken(crawler: Document) -> tuple[str | None, int | None, int | None]:
    for rule in crawler["rules"]:
        return rule["rule"], rule["line"], rule["disallowed"]
    return None, None, None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    return f"'{printable(value)}" if value.startswith(_FORMULA) else printable(value)
