"""Every format with arbitrary and damaged lines."""

import json
from contextlib import suppress
from functools import cache

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.accesslog.formats import FORMATS, LogFormat, detect_format, parse_format
from aipolicy.accesslog.formats.columns import SCHEMA
from aipolicy.errors import LogFormatError
from tests.accesslog.formats.test_fieldlists import CLOUDFRONT, CLOUDFRONT_LINE, IIS, IIS_LINE
from tests.accesslog.formats.test_recognition import LOGS

STRINGS = (
    '%v %h %^[%d:%t %^] "%r" %s %b "%R" "%u"',
    "~h{, } [%x] %r %u",
    '%V:%p %a %u [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] "%r" %>s %{X-Forwarded-For}i "%{User-Agent}i"',
    "$msec|$host|$remote_addr|$request|$status|$http_user_agent|$http_x_forwarded_for",
    '{"t":"$time_iso8601","u":"$uri$is_args$args","a":"$http_user_agent"}',
)
LINES = (*LOGS.values(), IIS_LINE, CLOUDFRONT_LINE)


@cache
def formats() -> list[LogFormat]:
    known = [found for name, found in FORMATS.items() if name not in ("w3c", "cloudfront")]
    lists = [
        parse_format("w3c"),
        parse_format("w3c").after(IIS),
        parse_format("cloudfront").after(CLOUDFRONT),
    ]
    return [*known, *lists, *map(parse_format, STRINGS)]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Return a line of some format in which a part is replaced, doubled or left out."""
    line = draw(st.sampled_from(LINES))
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, len(line)))
    middle = draw(st.one_of(st.just(""), st.just(line[start:end] * 2), pieces, st.text(max_size=20)))
    return line[:start] + middle + line[end:]


pieces = st.sampled_from(
    [
        *('"', "\\", "[", "]", "{", "}", "|", "-", ":", "/", "%", "+", ",", " ", "\t", "\r", "\n", "\x00"),
        r"\x22",
        r"\"",
        r"\x",
        "%2520",
        "\ufffd",
        "é",
        '","',
        "}{",
    ]
)
lines = st.lists(st.one_of(damaged(), st.text(), st.lists(pieces).map("".join), st.none()), max_size=6)


@pytest.mark.slow
@settings(deadline=None)
@given(lines, st.integers(0, 2))
def test_any_lines_give_a_row_each_and_no_error(input_lines: list[str | None], forwarded: int) -> None:
    series = pl.Series(input_lines, dtype=pl.String)
    for found in formats():
        table = found.parse(series, forwarded=forwarded if found.has_forwarded else 0)
        assert dict(table.schema) == SCHEMA
        assert table.height == series.len()
        assert table["ok"].null_count() == 0
        assert table.filter("ok").select("time", "path").null_count().row(0) == (0, 0)
        assert table.filter("ok")["path"].str.starts_with("/").all()
        unread = table.filter(~pl.col("ok")).drop("ok")
        assert unread.null_count().row(0) == (unread.height,) * unread.width
        text = table.select("host", "path", "user_agent").unpivot()["value"]
        assert not text.str.contains(r"[\x00-\x1f\x7f]").any()
        assert found.matches(series).len() == series.len()


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(lines)
def test_a_line_is_read_alike_alone_and_with_other_lines(input_lines: list[str | None]) -> None:
    series = pl.Series(input_lines, dtype=pl.String)
    for found in formats():
        alone = [found.parse(series[at : at + 1]) for at in range(series.len())]
        assert found.parse(series).equals(pl.concat([found.parse(series[:0]), *alone]))


@settings(deadline=None)
@given(lines)
def test_detection_returns_a_format_or_an_error(input_lines: list[str | None]) -> None:
    with suppress(LogFormatError):
        found = detect_format([line for line in input_lines if line is not None])
        assert found is None or found.name in FORMATS


@settings(deadline=None)
@given(st.text())
def test_any_format_string_is_compiled_or_an_error(text: str) -> None:
    with suppress(LogFormatError):
        found = parse_format(text)
        assert found.parse(pl.Series([text, "", json.dumps(text)])).height == 3


@pytest.mark.parametrize("found", formats(), ids=lambda found: found.name)
def test_an_empty_series_gives_no_rows(found: LogFormat) -> None:
    assert dict(found.parse(pl.Series([], dtype=pl.String)).schema) == SCHEMA
    assert found.parse(pl.Series([], dtype=pl.String)).height == 0
    assert found.parse(pl.Series([None], dtype=pl.String))["ok"].to_list() == [False]
