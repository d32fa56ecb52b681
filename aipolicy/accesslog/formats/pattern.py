"""Formats of lines that one regular expression reads: whatever has a format string."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import polars as pl

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.addresses import bare, from_right
from aipolicy.accesslog.formats.base import LogFormat
from aipolicy.accesslog.formats.elements import Element, Role
from aipolicy.accesslog.formats.escapes import percent_decoded, unescaped
from aipolicy.accesslog.formats.line_regex import Layout, layout
from aipolicy.accesslog.formats.rows import rows, with_query

_NO_OFFSET = "times are written without an offset: they are read as UTC"
_NO_USER_AGENT = "lines have no User-Agent: no crawler can be told"
_NO_FIELD = "the format has no field for the User-Agent"


class Escape(Enum):
    """How a log writes what could be taken for the end of a field."""

    BACKSLASH = "\\"
    PLUS = "+"
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class PatternFormat(LogFormat):
    """Lines that the regular expressions of a layout read."""

    name: str
    layout: Layout
    has_host: bool
    has_forwarded: bool
    escape: Escape = Escape.BACKSLASH

    @classmethod
    def of(
        cls, name: str, elements: Sequence[Element], *, tail: str = "", escape: Escape = Escape.BACKSLASH
    ) -> "PatternFormat":
        """Compile. Raises LogFormatError where the time or the request lacks."""
        compiled = layout(elements, tail)
        return cls(name, compiled, Role.HOST in compiled.roles, Role.FORWARDED in compiled.roles, escape)

    @property
    def notes(self) -> tuple[str, ...]:
        found = []
        if self.escape is Escape.BACKSLASH and not any(map(timestamps.has_offset, self.layout.times)):
            found.append(_NO_OFFSET)
        if Role.USER_AGENT not in self.layout.roles:
            found.append(_NO_USER_AGENT)
        return tuple(found)

    def lacks_user_agent(self, sample: pl.Series) -> str | None:
        return None if Role.USER_AGENT in self.layout.roles else _NO_FIELD

    def seen(self, sample: pl.Series) -> "PatternFormat":
        if not self.has_forwarded:
            return self
        lists = self.columns(sample)["forwarded"].drop_nulls()
        return replace(self, has_forwarded=((lists == "-") | bare(from_right(lists, 1)).is_not_null()).any())

    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        groups = self._groups(lines.cast(pl.String))
        parts = [pl.col(f"time{number}") for number in range(len(self.layout.times))]
        texts = groups.select(pl.concat_str(parts, separator="|")).to_series()
        time = timestamps.instants(texts, "|".join(self.layout.times))
        found = groups.with_columns(time.alias("time"), pl.col("target").is_not_null().alias("fits"))
        if Role.QUERY in self.layout.roles:
            found = found.with_columns(with_query(pl.col("target"), pl.col("query")).alias("target"))
        return rows(self._decoded(found), forwarded=forwarded, has_forwarded=self.has_forwarded)

    def shaped(self, lines: pl.Series) -> pl.Series:
        return lines.cast(pl.String).str.contains(self.layout.shape)

    def columns(self, lines: pl.Series) -> pl.DataFrame:
        """The columns as they are written, whatever request and time stand beside them."""
        return lines.cast(pl.String).str.extract_groups(self.layout.shape).struct.unnest()

    def _groups(self, lines: pl.Series) -> pl.DataFrame:
        groups = lines.str.extract_groups(self.layout.usual).struct.unnest()
        missed = groups["target"].is_null()
        if not missed.any():
            return groups
        number = pl.row_index("line")
        again = lines.filter(missed).str.extract_groups(self.layout.full).struct.unnest()
        both = [
            groups.with_columns(number).filter(~missed),
            again.with_columns(missed.arg_true().alias("line")),
        ]
        return pl.concat(both).sort("line").drop("line")

    def _decoded(self, found: pl.DataFrame) -> pl.DataFrame:
        """With what the server wrote instead of quotes and spaces undone; a path stays percent-encoded."""
        names, change = _UNDO[self.escape]
        return found.with_columns([change(found[name]) for name in names if name in found.columns])


def _without_plus(values: pl.Series) -> pl.Series:
    spaced = values.str.replace_all("+", " ", literal=True)
    return spaced.str.replace_all("  http", " +http", literal=True)  # as crawlers write a link: "; +https://"


_UNDO: Mapping[Escape, tuple[tuple[str, ...], Callable[[pl.Series], pl.Series]]] = {
    Escape.BACKSLASH: (("target", "user_agent"), unescaped),
    Escape.PLUS: (("forwarded", "user_agent"), _without_plus),
    Escape.PERCENT: (("forwarded", "user_agent"), percent_decoded),
}
