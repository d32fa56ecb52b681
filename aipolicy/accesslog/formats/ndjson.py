"""Chosen members of many JSON objects, one a line, whatever else the lines hold.

Each line stands for itself. ``Series.str.json_decode`` doesn't do here: it joins the lines, so that of three
lines ``{"a": "``, ``"}`` and ``{"a": 1}, {"a": 2}`` it makes three objects that nobody wrote.
"""

import io
import json
import math
from collections.abc import Mapping

import polars as pl

Schema = Mapping[str, pl.DataType]

_FEW = 256
"""Among so many lines the malformed ones are looked for one by one."""


def objects(lines: pl.Series, schema: Schema) -> pl.DataFrame:
    """A row a line with the members of ``schema``; null where they lack, or it is no such object."""
    line = lines.str.strip_chars(" \t\r")
    whole = line.str.starts_with("{") & line.str.ends_with("}") & ~line.str.contains("\n", literal=True)
    return _among(line, whole.fill_null(False), schema)


def _among(lines: pl.Series, wanted: pl.Series, schema: Schema) -> pl.DataFrame:
    """The members of the wanted lines, and nulls for the others."""
    if wanted.all():
        return _read(lines, schema)
    found = _read(lines.filter(wanted), schema).with_columns(wanted.arg_true().alias("line"))
    every = pl.DataFrame({"line": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
    return every.join(found, on="line", how="left", maintain_order="left").drop("line")


def _read(lines: pl.Series, schema: Schema) -> pl.DataFrame:
    """All at once; where one is malformed, by halves, so that it alone is lost."""
    if not lines.len():
        return pl.DataFrame(schema=schema)
    text = lines.str.join("\n").item().encode()
    try:
        found = pl.read_ndjson(io.BytesIO(text), schema=schema, ignore_errors=True)
        if found.height == lines.len():
            return found
    except pl.exceptions.ComputeError:
        pass  # says nothing of which line it was
    if lines.len() == 1:
        return pl.DataFrame({name: [None] for name in schema}, schema=schema)
    if lines.len() <= _FEW:
        sound = pl.Series([_is_json(line) for line in lines], dtype=pl.Boolean)
        if not sound.all():
            return _among(lines, sound, schema)
    middle = lines.len() // 2
    return pl.concat([_read(lines[:middle], schema), _read(lines[middle:], schema)])


def _is_json(line: str) -> bool:
    try:
        json.loads(line, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return False
    return True


def _finite(number: str) -> float:
    """Python reads NaN and 1e999, too; JSON has neither."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
