"""Formats whose files list their own columns: W3C extended (IIS) and CloudFront. Both log UTC.

Sources: https://www.w3.org/TR/WD-logfile.html, https://learn.microsoft.com/windows/win32/http/w3c-logging,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from aipolicy.accesslog.formats.columns import unreadable
from aipolicy.accesslog.formats.line_pattern import COMPLETE, OTHER, Element, Field, Role
from aipolicy.accesslog.formats.log_format import LogFormat
from aipolicy.accesslog.formats.pattern_format import Escape, PatternFormat
from aipolicy.errors import LogFormatError
from aipolicy.report.text import shorten

DIRECTIVE = "#Fields:"

_FIELDS: Mapping[str, Field] = {
    "date": Field(Role.TIME, code="%Y-%m-%d"),
    "time": Field(Role.TIME, code="%H:%M:%S%.f"),
    "c-ip": Field(Role.ADDRESS),
    "x-host-header": Field(Role.HOST),  # cs(Host) is CloudFront's name of the distribution
    **dict.fromkeys(("cs-host", "cs(host)"), Field(Role.HOST, 1)),
    **dict.fromkeys(("x-forwarded-for", "cs(x-forwarded-for)"), Field(Role.FORWARDED)),
    "cs-uri": Field(Role.TARGET, COMPLETE),
    "cs-uri-stem": Field(Role.TARGET, 1),
    "cs-uri-query": Field(Role.QUERY),
    "sc-status": Field(Role.STATUS),
    "cs(user-agent)": Field(Role.USER_AGENT),
}
_SPACES = Field(Role.OTHER, pattern="[ \t]+")


@dataclass(frozen=True, slots=True)
class FieldListFormat(LogFormat):
    """A format of lines after a ``#Fields:`` line; lines before the first one are unreadable."""

    name: str = "w3c"
    has_host: bool = False
    has_forwarded: bool = False
    columns: PatternFormat | None = None

    @property
    def directive(self) -> str | None:
        return DIRECTIVE

    def after(self, directive_line: str) -> LogFormat:
        names = re.findall(r"[^ \t\r\n]+", directive_line.removeprefix(DIRECTIVE))
        cloudfront = any(name.startswith("x-edge-") for name in names)
        elements = [_field(name, r"[^\t]*" if cloudfront else r"[^ \t]+") for name in names]
        try:
            columns = PatternFormat.of(
                "cloudfront" if cloudfront else "w3c",
                _separated(elements, "\t" if cloudfront else _SPACES),
                tail="[ \t\r]*",
                escape=Escape.PERCENT if cloudfront else Escape.PLUS,
            )
        except LogFormatError:
            raise LogFormatError(
                f"'{shorten(directive_line)}' lacks a needed field; log date, time, cs-uri-stem, "
                "cs-uri-query, sc-status, c-ip and cs(User-Agent)"
            ) from None
        return FieldListFormat(columns.name, columns.has_host, columns.has_forwarded, columns)

    @property
    def notes(self) -> tuple[str, ...]:
        return self.columns.notes if self.columns else ()

    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        return self.columns.read(lines, forwarded=forwarded) if self.columns else unreadable(lines.len())

    def missing_user_agent(self, sample: pl.Series) -> str | None:
        reason = None if self.columns is None else self.columns.missing_user_agent(sample)
        return reason and f"{reason}: '{DIRECTIVE}' has no cs(User-Agent)"

    def matches(self, lines: pl.Series) -> pl.Series:
        if self.columns:
            return self.columns.matches(lines)
        return pl.repeat(False, lines.len(), dtype=pl.Boolean, eager=True)


def _field(name: str, pattern: str) -> Field:
    field = _FIELDS.get(name.lower(), OTHER)
    return field if field.role in (Role.TIME, Role.STATUS) else replace(field, pattern=pattern)


def _separated(fields: list[Field], separator: Element) -> list[Element]:
    return [element for field in fields for element in (separator, field)][1:]
