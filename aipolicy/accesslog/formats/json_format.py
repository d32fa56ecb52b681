"""Formats of JSON lines: one object per line, with a map from our columns to its keys."""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.columns import request_columns, with_query, without_placeholder
from aipolicy.accesslog.formats.line_pattern import REQUEST_LINE
from aipolicy.accesslog.formats.log_format import LogFormat

Paths = tuple[str, ...]
FieldMap = Mapping[str, Paths]
"""The paths of the members that each column is read from; the first member that a line has counts.

A path is the keys down to a member, like ``request/host``; with ``[]`` at its end the member is a list of
strings. The columns are ``host``, ``address``, ``forwarded``, ``time``, ``target``, ``status`` and
``user_agent``. In place of the target there may be a ``request`` line, or a ``uri`` and its ``query``. If
there is a ``message``, only lines in which it is "handled request" are requests.
"""

_HANDLED = "handled request"
_LIST = "[]"
_FEW = 256  # lines; among so few, malformed ones are searched one by one

Schema = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True)
class JsonFormat(LogFormat):
    """A format of JSON lines."""

    name: str
    fields: tuple[tuple[str, Paths], ...]
    has_host: bool = True
    has_forwarded: bool = True

    @classmethod
    def of(cls, name: str, fields: FieldMap) -> "JsonFormat":
        return cls(name, tuple(fields.items()))

    def adapted_to(self, sample: pl.Series) -> "JsonFormat":
        fields = dict(self.fields)
        if "message" in fields:
            return self  # the server's own format, which always has all columns
        paths = [*fields["host"], *fields["forwarded"]]
        found = read_members(sample.cast(pl.String), _schema(paths))
        present = {path for path in paths if found.select(_member(path).is_not_null().any()).item()}
        return replace(
            self,
            has_host=not present.isdisjoint(fields["host"]),
            has_forwarded=not present.isdisjoint(fields["forwarded"]),
        )

    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        columns = {name for name, _ in self.fields}
        found = self._columns(lines, columns if forwarded else columns - {"forwarded"})
        target, fits = pl.col("target"), pl.lit(True)
        if "request" in columns:
            request = pl.col("request")
            from_uri = pl.when(request.is_null()).then(with_query(pl.col("uri"), pl.col("query")))
            target = pl.coalesce(target, from_uri.otherwise(request.str.extract(REQUEST_LINE, 1)))
        if "message" in columns:
            fits = pl.col("message").fill_null(_HANDLED) == _HANDLED
        time = timestamps.to_microseconds(found["time"], "any")
        found = found.with_columns(target.alias("target"), time.alias("time"), fits.alias("fits"))
        return request_columns(found, forwarded=forwarded, has_forwarded=self.has_forwarded)

    def matches(self, lines: pl.Series) -> pl.Series:
        if not lines.str.contains("{", literal=True).any():  # a shortcut for logs in other formats
            return pl.repeat(False, lines.len(), dtype=pl.Boolean, eager=True)
        found = self._columns(lines, {"time", "target", "request", "uri", "message"})
        about_request = pl.any_horizontal(pl.exclude("time").is_not_null())
        return found.select(pl.col("time").is_not_null() & about_request).to_series()

    def missing_user_agent(self, sample: pl.Series) -> str | None:
        fields = dict(self.fields)
        paths = fields["user_agent"]
        targets = [path for name in ("target", "request", "uri") for path in fields.get(name, ())]
        records = [record for line in sample if (record := _object(line)) is not None]
        requests = [record for record in records if any(_has(record, path) for path in targets)]
        if not requests or any(_has(record, path) for record in requests for path in paths):
            return None
        keys = ", ".join(repr(path.removesuffix(_LIST).replace("/", ".")) for path in paths)
        return f"no line has a key for the User-Agent, such as {keys}"

    def _columns(self, lines: pl.Series, names: set[str]) -> pl.DataFrame:
        """Return the named columns as Strings."""
        wanted = {name: paths for name, paths in self.fields if name in names}
        schema = _schema([path for paths in wanted.values() for path in paths])
        found = read_members(lines.cast(pl.String), schema)
        return found.select(
            pl.coalesce(*(without_placeholder(_member(path)) for path in paths)).alias(name)
            for name, paths in wanted.items()
        )


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _has(record: dict[str, Any], path: str) -> bool:
    """Return True if a record has the member, or an object of headers that could contain it."""
    *outer, last = path.removesuffix(_LIST).split("/")
    inside: Any = record
    for key in outer:
        inside = inside.get(key) if isinstance(inside, dict) else None
    return isinstance(inside, dict) and (last in inside or outer[-1:] == ["headers"])


def _schema(paths: list[str]) -> dict[str, pl.DataType]:
    """Return the types of the members at ``paths``."""
    heads = dict.fromkeys(path.partition("/")[0] for path in paths)
    inner = {head: [path[len(head) + 1 :] for path in paths if path.startswith(f"{head}/")] for head in heads}
    return {head.removesuffix(_LIST): _type(head, inner[head]) for head in heads}


def _type(head: str, inner: list[str]) -> pl.DataType:
    if inner:
        return pl.Struct(_schema(inner))
    return pl.List(pl.String) if head.endswith(_LIST) else pl.String()


def _member(path: str) -> pl.Expr:
    first, *keys = path.removesuffix(_LIST).split("/")
    member = pl.col(first)
    for key in keys:
        member = member.struct.field(key)
    return member.list.join(", ") if path.endswith(_LIST) else member


def read_members(lines: pl.Series, schema: Schema) -> pl.DataFrame:
    """Return one row per line with the members in ``schema``; null if missing, or if the line isn't JSON.

    Lines are parsed one by one. ``Series.str.json_decode`` joins them, so it would make three objects that
    nobody wrote of the lines ``{"a": "``, ``"}`` and ``{"a": 1}, {"a": 2}``.
    """
    line = lines.str.strip_chars(" \t\r")
    object_like = line.str.starts_with("{") & line.str.ends_with("}") & ~line.str.contains("\n", literal=True)
    return _read_marked(line, object_like.fill_null(False), schema)


def _read_marked(lines: pl.Series, marked: pl.Series, schema: Schema) -> pl.DataFrame:
    """Return the members of the marked lines, and nulls for the others."""
    if marked.all():
        return _read(lines, schema)
    found = _read(lines.filter(marked), schema).with_columns(marked.arg_true().alias("line"))
    every = pl.DataFrame({"line": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
    return every.join(found, on="line", how="left", maintain_order="left").drop("line")


def _read(lines: pl.Series, schema: Schema) -> pl.DataFrame:
    """Read all lines at once; if one is malformed, halve them until it alone is lost."""
    if not lines.len():
        return pl.DataFrame(schema=schema)
    text = lines.str.join("\n").item().encode()
    try:
        found = pl.read_ndjson(io.BytesIO(text), schema=schema, ignore_errors=True)
        if found.height == lines.len():
            return found
    except pl.exceptions.ComputeError:
        pass  # it doesn't say which line is malformed
    if lines.len() == 1:
        return pl.DataFrame({name: [None] for name in schema}, schema=schema)
    if lines.len() <= _FEW:
        valid = pl.Series([_is_json(line) for line in lines], dtype=pl.Boolean)
        if not valid.all():
            return _read_marked(lines, valid, schema)
    middle = lines.len() // 2
    return pl.concat([_read(lines[:middle], schema), _read(lines[middle:], schema)])


def _is_json(line: str) -> bool:
    try:
        json.loads(line, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return False
    return True


def _finite(number: str) -> float:
    """Refuse NaN and 1e999, which Python reads although JSON doesn't allow them."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
