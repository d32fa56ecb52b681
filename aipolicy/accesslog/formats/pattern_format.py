"""Text formats, each read by a regular expression: all formats that have a format string."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import polars as pl

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.columns import (
    bare_address,
    from_right,
    percent_decoded,
    request_columns,
    unescaped,
    with_query,
)
from aipolicy.accesslog.formats.line_pattern import Element, LinePattern, Role, compile_pattern
from aipolicy.accesslog.formats.log_format import LogFormat

_NO_OFFSET = "times have no UTC offset; they are read as UTC"
_NO_USER_AGENT = "lines have no User-Agent; no crawler can be recognised"
_NO_FIELD = "the format has no field for the User-Agent"


class Escape(Enum):
    """Encodings of characters that would end a field."""

    BACKSLASH = "\\"
    PLUS = "+"
    PERCENT = "%"


@dataclass(frozen=True, slots=True)
class PatternFormat(LogFormat):
    """A format of text lines."""

    name: str
    pattern: LinePattern
    has_host: bool
    has_forwarded: bool
    escape: Escape = Escape.BACKSLASH

    @classmethod
    def of(
        cls, name: str, elements: Sequence[Element], *, tail: str = "", escape: Escape = Escape.BACKSLASH
    ) -> "PatternFormat":
        """Compile a format; arguments and errors as for ``compile_pattern``."""
        pattern = compile_pattern(elements, tail)
        return cls(name, pattern, Role.HOST in pattern.roles, Role.FORWARDED in pattern.roles, escape)

    @property
    def notes(self) -> tuple[str, ...]:
        found = []
        if self.escape is Escape.BACKSLASH and not any(map(timestamps.has_offset, self.pattern.times)):
            found.append(_NO_OFFSET)
        if Role.USER_AGENT not in self.pattern.roles:
            found.append(_NO_USER_AGENT)
        return tuple(found)

    def missing_user_agent(self, sample: pl.Series) -> str | None:
        return None if Role.USER_AGENT in self.pattern.roles else _NO_FIELD

    def adapted_to(self, sample: pl.Series) -> "PatternFormat":
        if not self.has_forwarded:
            return self
        lists = self.columns(sample)["forwarded"].drop_nulls()
        present = (lists == "-") | bare_address(from_right(lists, 1)).is_not_null()
        return replace(self, has_forwarded=present.any())

    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        groups = self._groups(lines.cast(pl.String))
        parts = [pl.col(f"time{number}") for number in range(len(self.pattern.times))]
        texts = groups.select(pl.concat_str(parts, separator="|")).to_series()
        time = timestamps.to_microseconds(texts, "|".join(self.pattern.times))
        found = groups.with_columns(time.alias("time"), pl.col("target").is_not_null().alias("fits"))
        if Role.QUERY in self.pattern.roles:
            found = found.with_columns(with_query(pl.col("target"), pl.col("query")).alias("target"))
        return request_columns(self._decoded(found), forwarded=forwarded, has_forwarded=self.has_forwarded)

    def matches(self, lines: pl.Series) -> pl.Series:
        return lines.cast(pl.String).str.contains(self.pattern.shape)

    def columns(self, lines: pl.Series) -> pl.DataFrame:
        """Return the text of the fields, for lines with any request and time."""
        return lines.cast(pl.String).str.extract_groups(self.pattern.shape).struct.unnest()

    def _groups(self, lines: pl.Series) -> pl.DataFrame:
        groups = lines.str.extract_groups(self.pattern.usual).struct.unnest()
        missed = groups["target"].is_null()
        if not missed.any():
            return groups
        number = pl.row_index("line")
        again = lines.filter(missed).str.extract_groups(self.pattern.full).struct.unnest()
        both = [
            groups.with_columns(number).filter(~missed),
            again.with_columns(missed.arg_true().alias("line")),
        ]
        return pl.concat(both).sort("line").drop("line")

    def _decoded(self, found: pl.DataFrame) -> pl.DataFrame:
        """Undo the server's escapes of quotes and spaces; a path stays percent-encoded."""
        names, decode = _DECODERS[self.escape]
        return found.with_columns([decode(found[name]) for name in names if name in found.columns])


def _without_plus(values: pl.Series) -> pl.Series:
    spaced = values.str.replace_all("+", " ", literal=True)
    # Crawlers write a link like "; +https://".
    return spaced.str.replace_all("  http", " +http", literal=True)


_DECODERS: Mapping[Escape, tuple[tuple[str, ...], Callable[[pl.Series], pl.Series]]] = {
    Escape.BACKSLASH: (("target", "user_agent"), unescaped),
    Escape.PLUS: (("forwarded", "user_agent"), _without_plus),
    Escape.PERCENT: (("forwarded", "user_agent"), percent_decoded),
}
