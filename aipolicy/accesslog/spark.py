"""The engine for logs that outgrow one machine: the same evaluation, in Spark's ``mapInArrow``.

Spark reads (text, gzip, Parquet; from any store that it knows) and spreads the work; what comes back to this
machine is the table of fetches, some hundredth of the logs.
"""

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa

from aipolicy.accesslog.engine import Advance, ReadFile, form_of
from aipolicy.accesslog.evaluate import Evaluator, Terms, as_batch, evaluate
from aipolicy.accesslog.formats import LogFormat
from aipolicy.accesslog.schema import SCHEMA
from aipolicy.accesslog.spool import Spool
from aipolicy.core.crawlers import crawler_table, use_table
from aipolicy.errors import LogError, MissingExtraError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SAMPLE = 1000  # lines
_AT_ONCE = 16  # files looked at for their format
_ROWS = 50_000  # sent back at a time
_WHOLE = str(1 << 60)  # octets of a part that is the whole file

_CAUSE = re.compile(r"^(?:Caused by: )?(?:\w+\.)*(\w+(?:Error|Exception): .*)$", re.MULTILINE)

_REPLY = pa.schema(
    [("file", pa.string()), ("part", pa.int64()), ("lines", pa.int64()), ("rows", pa.large_binary())]
)
_SQL_REPLY = "file string, part long, lines long, rows binary"


def read_with_spark(
    names: Sequence[str],
    terms: Terms,
    spool: Spool,
    *,
    form: LogFormat | None,
    advance: Advance,
    master: str | None,
) -> tuple[list[ReadFile], list[pl.LazyFrame]]:
    """As ``read_logs``, by Spark: the files, and all rows in parts, which are in ``spool``.

    ``names`` are paths or URLs that Spark can read; a Parquet file has its lines in a column ``value``.
    ``master`` as for spark-submit; None: as Spark is configured. Raises LogError, MissingExtraError.
    """
    session = _session(master)
    try:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            files = _files(session, names)
            forms = _forms(session, files, form)
            counts: dict[tuple[str, int], int] = {}  # lines, by file and part: where Spark cut a large one
            for file in [file for file, its_form in forms.items() if its_form is None]:
                counts[files[file], 0] = _lines(session, [file]).count()
            for its_form in dict.fromkeys(filter(None, forms.values())):
                group = [file for file in files if forms[file] == its_form]
                for file, part, lines, rows in _replies(session, group, its_form, terms):
                    key = files[file], part
                    counts[key] = counts.get(key, 0) + lines
                    named = pl.lit(key[0]).alias("file"), pl.lit(part, pl.Int64).alias("part")
                    spool.add(rows.with_columns(named))
                    advance(0, lines)
        except (Py4JJavaError, PySparkException) as error:
            fix = "are they whole, and can it reach them?"
            raise LogError(f"Spark could not read the logs ({_reason(error)}): {fix}") from None
    finally:
        session.stop()
    read = [_read(name, forms[file], counts) for file, name in files.items()]
    return read, [_numbered(part, counts) for part in spool.parts()]


def _reason(error: Exception) -> str:
    """The cause at the bottom of Spark's report."""
    causes = _CAUSE.findall(str(error))
    return causes[-1] if causes else str(error).strip().split("\n", 1)[0]


def _session(master: str | None) -> "SparkSession":
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError.for_extra("the engine needs Spark", "spark") from None
    if master and master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("aipolicy check logs")
    builder = builder.config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false")
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        return (builder.master(master) if master else builder).getOrCreate()
    except (Py4JError, PySparkException) as error:
        asked = f"--master {master!r}" if master else "how Spark is configured"
        raise LogError(f"Spark could not be started ({_reason(error)}): check {asked}, and Java") from None


def _files(session: "SparkSession", names: Sequence[str]) -> dict[str, str]:
    """Each file as Spark calls it, and its name for people."""
    files: dict[str, str] = {}
    for name in names:
        if name == "-":
            raise LogError("Spark can't read standard input: give paths")
        path = Path(name)
        if path.is_file():
            files[_location(path.resolve().as_uri())] = name
        else:
            files |= {_location(file): unquote(file) for file in session.read.text(name).inputFiles()}
    return files


def _location(uri: str) -> str:
    """A URI in one spelling: ``file:/a%20b`` and ``file:///a b`` are the same."""
    scheme, _, rest = unquote(uri).partition(":")
    return f"{scheme}:/{rest.lstrip('/')}" if scheme == "file" else unquote(uri)


def _lines(session: "SparkSession", files: Sequence[str]) -> "DataFrame":
    """The lines of files, each with its file and where in it Spark's part begins."""
    if all(file.endswith(".parquet") for file in files):
        frame = session.read.parquet(*files)
    else:
        frame = session.read.text(list(files), lineSep="\n")
    return frame.selectExpr(
        "_metadata.file_path as file", "_metadata.file_block_start as part", "cast(value as binary) as text"
    )


def _forms(
    session: "SparkSession", files: Mapping[str, str], form: LogFormat | None
) -> dict[str, LogFormat | None]:
    """The format of each file; None where it is empty."""

    def of(file: str) -> LogFormat | None:
        return form_of(files[file], (bytes(row.text) for row in _lines(session, [file]).take(_SAMPLE)), form)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return dict(zip(files, threads.map(of, files), strict=True))


def _replies(
    session: "SparkSession", files: Sequence[str], form: LogFormat, terms: Terms
) -> Iterator[tuple[str, int, int, pl.DataFrame]]:
    """File, part, lines and rows, some at a time, as the parts are done."""
    if form.directive is not None:  # a part must know all that came before it
        session.conf.set("spark.sql.files.maxPartitionBytes", _WHOLE)
    for parquet in (True, False):
        group = [file for file in files if file.endswith(".parquet") is parquet]
        if group:
            frame = _lines(session, group).mapInArrow(_evaluation(form, terms), _SQL_REPLY)
            for row in frame.toLocalIterator():
                rows = pl.read_ipc(io.BytesIO(bytes(row.rows)))
                yield _location(row.file), row.part, row.lines, rows
    session.conf.unset("spark.sql.files.maxPartitionBytes")


def _evaluation(
    form: LogFormat, terms: Terms
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a worker does: batches of lines in, replies out."""

    table = crawler_table()  # a worker may have another environment, or none

    def evaluated(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        use_table(table)
        evaluator = Evaluator(terms)
        part: _Part | None = None
        for batch in batches:
            for key, lines in pl.DataFrame(batch).group_by("file", "part", maintain_order=True):
                if part is None or part.key != key:
                    if part is not None:
                        yield part.rest()
                    part = _Part(key, form, evaluator)
                yield from part.take(_without_cr(lines["text"]))
        if part is not None:
            yield part.rest()

    return evaluated


def _without_cr(lines: pl.Series) -> pl.Series:
    """Spark ends lines at the line feed alone here."""
    text = pl.col("text")
    ended = text.bin.ends_with(b"\r")
    if not lines.to_frame("text").select(ended.any()).item():
        return lines
    shorter = text.bin.head(text.bin.size() - 1)
    return lines.to_frame("text").select(pl.when(ended).then(shorter).otherwise(text))["text"]


class _Part:
    """A part of a file, while its lines come in."""

    def __init__(self, key: tuple[Any, ...], form: LogFormat, evaluator: Evaluator) -> None:
        self.key = key
        self._form, self._evaluator = form, evaluator
        self._lines = self._told = 0
        self._rows: list[pa.RecordBatch] = []

    def take(self, text: pl.Series) -> Iterator[pa.RecordBatch]:
        """Evaluate more lines; what is ready to be sent back comes out."""
        for lines in self._formed(text):
            numbers = pl.int_range(self._lines + 1, self._lines + 1 + len(lines), eager=True)
            frame = pl.DataFrame({"line": numbers, "text": lines}).with_columns(file=pl.lit(self.key[0]))
            self._rows.append(evaluate(as_batch(frame), self._form, self._evaluator))
            self._lines += len(lines)
        if sum(batch.num_rows for batch in self._rows) >= _ROWS:
            yield self.rest()

    def rest(self) -> pa.RecordBatch:
        """What has not been sent back yet."""
        file = io.BytesIO()
        pl.DataFrame(pa.Table.from_batches(self._rows)).write_ipc(file, compression="zstd")
        reply = {"lines": [self._lines - self._told], "rows": [file.getvalue()]}
        self._rows, self._told = [], self._lines
        return pa.RecordBatch.from_pydict({"file": [self.key[0]], "part": [self.key[1]], **reply}, _REPLY)

    def _formed(self, text: pl.Series) -> Iterator[pl.Series]:
        """The lines in runs of one format."""
        if self._form.directive is None:
            yield text
            return
        start = 0
        for position in text.bin.starts_with(self._form.directive.encode()).arg_true():
            if position > start:
                yield text[start:position]
            directive = text[position].decode("utf-8", "replace").removesuffix("\r")
            self._form, start = self._form.after(directive), position
        yield text[start:]


def _read(name: str, form: LogFormat | None, counts: Mapping[tuple[str, int], int]) -> ReadFile:
    lines = sum(count for (file, _), count in counts.items() if file == name)
    return ReadFile(name).read_as(form, lines)


def _numbered(rows: pl.LazyFrame, counts: Mapping[tuple[str, int], int]) -> pl.LazyFrame:
    """Lines counted from the beginning of their file instead of that of their part."""
    parts = sorted(counts)
    frame = pl.DataFrame(
        [(file, part, counts[file, part]) for file, part in parts],
        schema={"file": pl.String, "part": pl.Int64, "lines": pl.Int64},
        orient="row",
    )
    before = (pl.col("lines").cum_sum() - pl.col("lines")).over("file")
    offsets = frame.select("file", "part", before.alias("before")).lazy()
    joined = rows.join(offsets, on=["file", "part"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("line") + pl.col("before")).select(SCHEMA.names())
