"""Formats of JSON lines."""

import json
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from aipolicy.accesslog.formats import json_fields, timestamps
from aipolicy.accesslog.formats.base import LogFormat
from aipolicy.accesslog.formats.field_regex import REQUEST_LINE
from aipolicy.accesslog.formats.json_fields import Members, Paths
from aipolicy.accesslog.formats.ndjson import objects
from aipolicy.accesslog.formats.rows import given, rows, with_query

_LIST = "[]"


@dataclass(frozen=True, slots=True)
class JsonFormat(LogFormat):
    """An object a line."""

    name: str
    members: tuple[tuple[str, Paths], ...]
    has_host: bool = True
    has_forwarded: bool = True

    @classmethod
    def of(cls, name: str, wanted: Members) -> "JsonFormat":
        return cls(name, tuple(wanted.items()))

    def seen(self, sample: pl.Series) -> "JsonFormat":
        wanted = dict(self.members)
        if "message" in wanted:
            return self  # the server's own format: nothing in it may lack
        paths = [*wanted["host"], *wanted["forwarded"]]
        found = objects(sample.cast(pl.String), _schema(paths))
        there = {path for path in paths if found.select(_member(path).is_not_null().any()).item()}
        return replace(
            self,
            has_host=not there.isdisjoint(wanted["host"]),
            has_forwarded=not there.isdisjoint(wanted["forwarded"]),
        )

    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        columns = {name for name, _ in self.members}
        found = self._columns(lines, columns if forwarded else columns - {"forwarded"})
        target, fits = pl.col("target"), pl.lit(True)
        if "request" in columns:
            request = pl.col("request")
            named = pl.when(request.is_null()).then(with_query(pl.col("uri"), pl.col("query")))
            target = pl.coalesce(target, named.otherwise(request.str.extract(REQUEST_LINE, 1)))
        if "message" in columns:
            fits = pl.col("message").fill_null(json_fields.HANDLED) == json_fields.HANDLED
        time = timestamps.instants(found["time"], "any")
        found = found.with_columns(target.alias("target"), time.alias("time"), fits.alias("fits"))
        return rows(found, forwarded=forwarded, has_forwarded=self.has_forwarded)

    def shaped(self, lines: pl.Series) -> pl.Series:
        if not lines.str.contains("{", literal=True).any():  # as in most logs that have another format
            return pl.repeat(False, lines.len(), dtype=pl.Boolean, eager=True)
        found = self._columns(lines, {"time", "target", "request", "uri", "message"})
        about = pl.any_horizontal(pl.exclude("time").is_not_null())
        return found.select(pl.col("time").is_not_null() & about).to_series()

    def lacks_user_agent(self, sample: pl.Series) -> str | None:
        members = dict(self.members)
        paths = members["user_agent"]
        targets = [path for name in ("target", "request", "uri") for path in members.get(name, ())]
        records = [record for line in sample if (record := _object(line)) is not None]
        found = [record for record in records if any(_is_there(record, path) for path in targets)]
        if not found or any(_is_there(record, path) for record in found for path in paths):
            return None
        keys = ", ".join(repr(path.removesuffix(_LIST).replace("/", ".")) for path in paths)
        return f"no line has a key for the User-Agent: looked for {keys}"

    def _columns(self, lines: pl.Series, names: set[str]) -> pl.DataFrame:
        """The wanted columns, as Strings."""
        wanted = {name: paths for name, paths in self.members if name in names}
        found = objects(lines.cast(pl.String), _schema([path for paths in wanted.values() for path in paths]))
        return found.select(
            pl.coalesce(*(given(_member(path)) for path in paths)).alias(name)
            for name, paths in wanted.items()
        )


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_there(record: dict[str, Any], path: str) -> bool:
    """Return True if a record has the member, be it null; request headers need only be logged at all."""
    *outer, last = path.removesuffix(_LIST).split("/")
    inside: Any = record
    for key in outer:
        inside = inside.get(key) if isinstance(inside, dict) else None
    return isinstance(inside, dict) and (last in inside or outer[-1:] == ["headers"])


def _schema(paths: list[str]) -> dict[str, pl.DataType]:
    """The types of the members that ``paths`` lead to."""
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
