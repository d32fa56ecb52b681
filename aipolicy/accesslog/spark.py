"""The engine for logs that outgrow one machine: the same evaluation, in Spark's ``mapInArrow``.

Spark reads the logs (text, gzip, Parquet; from any store that it supports) and distributes the work. This
machine gets the table of fetches, about a hundredth of the logs.
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

from aipolicy.accesslog.crawler_detection import as_text, lines_matching
from aipolicy.accesslog.evaluate import Evaluator, Terms
from aipolicy.accesslog.fetch_table import SCHEMA, FetchStore, ReadFile
from aipolicy.accesslog.formats import LogFormat, format_of_log
from aipolicy.accesslog.local import Advance
from aipolicy.core.crawlers import crawler_table, use_table
from aipolicy.errors import LogError, MissingExtraError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SAMPLE = 1000  # lines from which a format is detected
_THREADS = 16  # for detecting formats
_ROWS = 50_000  # sent back at a time
_WHOLE_FILE = str(1 << 60)  # bytes

_CAUSE = re.compile(r"^(?:Caused by: )?(?:\w+\.)*(\w+(?:Error|Exception): .*)$", re.MULTILINE)

_REPLY = pa.schema(
    [("file", pa.string()), ("part", pa.int64()), ("lines", pa.int64()), ("rows", pa.large_binary())]
)
_SQL_REPLY = "file string, part long, lines long, rows binary"


def read_with_spark(
    names: Sequence[str],
    terms: Terms,
    store: FetchStore,
    *,
    log_format: LogFormat | None,
    advance: Advance,
    master: str | None,
) -> tuple[list[ReadFile], list[pl.LazyFrame]]:
    """Evaluate logs with Spark.

    Args:
        names: Paths or URLs that Spark can read; a Parquet file has its lines in a column ``value``.
        store: Where the rows are stored.
        log_format: The format of all logs; None to detect that of each.
        master: As for spark-submit; None for Spark's configuration.

    Returns:
        The logs, and all rows in parts that each fit into memory.

    Raises:
        LogError: Spark can't be started, or can't read the logs.
        MissingExtraError: pyspark is not installed.
    """
    session = _session(master)
    try:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            files = _files(session, names)
            formats = _detect_formats(session, files, log_format)
            counts: dict[tuple[str, int], int] = {}  # lines, by file and part: where Spark cut a large one
            for file in [file for file, file_format in formats.items() if file_format is None]:
                counts[files[file], 0] = _lines(session, [file]).count()
            for file_format in dict.fromkeys(filter(None, formats.values())):
                group = [file for file in files if formats[file] == file_format]
                for file, part, lines, rows in _replies(session, group, file_format, terms):
                    key = files[file], part
                    counts[key] = counts.get(key, 0) + lines
                    named = pl.lit(key[0]).alias("file"), pl.lit(part, pl.Int64).alias("part")
                    store.add(rows.with_columns(named))
                    advance(0, lines)
        except (Py4JJavaError, PySparkException) as error:
            fix = "check that they are complete, and that Spark can reach them"
            raise LogError(f"Spark can't read the logs ({_reason(error)}); {fix}") from None
    finally:
        session.stop()
    read = [_read_file(name, formats[file], counts) for file, name in files.items()]
    return read, [_numbered(part, counts) for part in store.parts()]


def _reason(error: Exception) -> str:
    """Return the root cause from Spark's error message."""
    causes = _CAUSE.findall(str(error))
    return causes[-1] if causes else str(error).strip().split("\n", 1)[0]


def _session(master: str | None) -> "SparkSession":
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError.for_extra("--engine spark needs pyspark", "spark") from None
    if master and master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("aipolicy check logs")
    builder = builder.config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false")
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        return (builder.master(master) if master else builder).getOrCreate()
    except (Py4JError, PySparkException) as error:
        setting = f"--master {master!r}" if master else "Spark's configuration"
        raise LogError(f"Spark can't be started ({_reason(error)}); check {setting}, and Java") from None


def _files(session: "SparkSession", names: Sequence[str]) -> dict[str, str]:
    """Return Spark's location of each file, and its name for reports."""
    files: dict[str, str] = {}
    for name in names:
        if name == "-":
            raise LogError("Spark can't read standard input; give paths")
        path = Path(name)
        if path.is_file():
            files[_location(path.resolve().as_uri())] = name
        else:
            files |= {_location(file): unquote(file) for file in session.read.text(name).inputFiles()}
    return files


def _location(uri: str) -> str:
    """Normalise a URI: ``file:/a%20b`` and ``file:///a b`` are the same."""
    scheme, _, rest = unquote(uri).partition(":")
    return f"{scheme}:/{rest.lstrip('/')}" if scheme == "file" else unquote(uri)


def _lines(session: "SparkSession", files: Sequence[str]) -> "DataFrame":
    """Return the lines of files, each with its file and the start of Spark's partition in it."""
    if all(file.endswith(".parquet") for file in files):
        frame = session.read.parquet(*files)
    else:
        frame = session.read.text(list(files), lineSep="\n")
    return frame.selectExpr(
        "_metadata.file_path as file", "_metadata.file_block_start as part", "cast(value as binary) as text"
    )


def _detect_formats(
    session: "SparkSession", files: Mapping[str, str], log_format: LogFormat | None
) -> dict[str, LogFormat | None]:
    """Return the format of each file; None for an empty one."""

    def detect(file: str) -> LogFormat | None:
        return format_of_log(
            files[file], (bytes(row.text) for row in _lines(session, [file]).take(_SAMPLE)), log_format
        )

    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(zip(files, threads.map(detect, files), strict=True))


def _replies(
    session: "SparkSession", files: Sequence[str], log_format: LogFormat, terms: Terms
) -> Iterator[tuple[str, int, int, pl.DataFrame]]:
    """Yield file, partition, number of lines and rows, a few at a time, as partitions are done."""
    if log_format.directive is not None:  # a partition needs all directives before it
        session.conf.set("spark.sql.files.maxPartitionBytes", _WHOLE_FILE)
    for parquet in (True, False):
        group = [file for file in files if file.endswith(".parquet") is parquet]
        if group:
            frame = _lines(session, group).mapInArrow(_evaluation(log_format, terms), _SQL_REPLY)
            for row in frame.toLocalIterator():
                rows = pl.read_ipc(io.BytesIO(bytes(row.rows)))
                yield _location(row.file), row.part, row.lines, rows
    session.conf.unset("spark.sql.files.maxPartitionBytes")


def _evaluation(
    log_format: LogFormat, terms: Terms
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that workers run: batches of lines in, replies out."""

    table = crawler_table()  # a worker may have another table

    def evaluated(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        use_table(table)
        evaluator = Evaluator(terms)
        part: _Partition | None = None
        for batch in batches:
            for key, lines in pl.DataFrame(batch).group_by("file", "part", maintain_order=True):
                if part is None or part.key != key:
                    if part is not None:
                        yield part.reply()
                    part = _Partition(key, log_format, evaluator)
                yield from part.take(_without_cr(lines["text"]))
        if part is not None:
            yield part.reply()

    return evaluated


def _evaluate(batch: pa.RecordBatch, log_format: LogFormat, evaluator: Evaluator) -> pa.RecordBatch:
    """Evaluate one Arrow batch of lines, for Spark's ``mapInArrow``.

    Args:
        batch: ``file`` (string), ``line`` (int64) and ``text`` (string or binary: a line without its line
            end).

    Returns:
        The rows, with the columns of ``SCHEMA``.
    """
    lines = pl.DataFrame(batch)
    matching = lines_matching(as_text(lines["text"]), evaluator.lines)
    return _to_arrow(evaluator.rows(lines.filter(matching), log_format))


def _to_arrow(frame: pl.DataFrame) -> pa.RecordBatch:
    """Convert a frame to one Arrow batch, with types that every reader of Arrow supports."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in table.columns], table.column_names
    )


def _without_cr(lines: pl.Series) -> pl.Series:
    """Remove carriage returns: Spark splits lines at line feeds alone here."""
    text = pl.col("text")
    ended = text.bin.ends_with(b"\r")
    if not lines.to_frame("text").select(ended.any()).item():
        return lines
    shorter = text.bin.head(text.bin.size() - 1)
    return lines.to_frame("text").select(pl.when(ended).then(shorter).otherwise(text))["text"]


class _Partition:
    """A partition of a file whose lines are being evaluated."""

    def __init__(self, key: tuple[Any, ...], log_format: LogFormat, evaluator: Evaluator) -> None:
        self.key = key
        self._format, self._evaluator = log_format, evaluator
        self._lines = self._sent = 0
        self._rows: list[pa.RecordBatch] = []

    def take(self, text: pl.Series) -> Iterator[pa.RecordBatch]:
        """Evaluate more lines; yield a reply when there are enough rows."""
        for lines in self._split(text):
            numbers = pl.int_range(self._lines + 1, self._lines + 1 + len(lines), eager=True)
            frame = pl.DataFrame({"line": numbers, "text": lines}).with_columns(file=pl.lit(self.key[0]))
            self._rows.append(_evaluate(_to_arrow(frame), self._format, self._evaluator))
            self._lines += len(lines)
        if sum(batch.num_rows for batch in self._rows) >= _ROWS:
            yield self.reply()

    def reply(self) -> pa.RecordBatch:
        """Return the reply with the rows that have not been sent yet."""
        file = io.BytesIO()
        pl.DataFrame(pa.Table.from_batches(self._rows)).write_ipc(file, compression="zstd")
        reply = {"lines": [self._lines - self._sent], "rows": [file.getvalue()]}
        self._rows, self._sent = [], self._lines
        return pa.RecordBatch.from_pydict({"file": [self.key[0]], "part": [self.key[1]], **reply}, _REPLY)

    def _split(self, text: pl.Series) -> Iterator[pl.Series]:
        """Split the lines where a directive changes the format."""
        if self._format.directive is None:
            yield text
            return
        start = 0
        for position in text.bin.starts_with(self._format.directive.encode()).arg_true():
            if position > start:
                yield text[start:position]
            directive = text[position].decode("utf-8", "replace").removesuffix("\r")
            self._format, start = self._format.after(directive), position
        yield text[start:]


def _read_file(name: str, log_format: LogFormat | None, counts: Mapping[tuple[str, int], int]) -> ReadFile:
    lines = sum(count for (file, _), count in counts.items() if file == name)
    return ReadFile(name).with_lines(lines, log_format)


def _numbered(rows: pl.LazyFrame, counts: Mapping[tuple[str, int], int]) -> pl.LazyFrame:
    """Number lines from the start of their file instead of their partition."""
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
