"""The functions of a Spark worker, without Spark."""

import io

import polars as pl
import pyarrow as pa

from aipolicy.accesslog.evaluate import Evaluator, Terms
from aipolicy.accesslog.formats import FORMATS
from aipolicy.accesslog.policies import policies_from_robots
from aipolicy.accesslog.spark import _evaluation
from aipolicy.identity import IdentityChecker
from tests.accesslog.labelled.handwritten import line

TERMS = Terms(
    policies_from_robots(b"User-agent: *\nDisallow: /\n", ["a.example"]),
    IdentityChecker(),
    sites=("a.example",),
)


def evaluated(*lines: bytes) -> pl.DataFrame:
    columns = {"file": ["file:/a.log"] * len(lines), "part": [0] * len(lines), "text": list(lines)}
    (reply,) = _evaluation(FORMATS["combined"], TERMS)(iter([pa.RecordBatch.from_pydict(columns)]))
    assert reply["lines"].to_pylist() == [len(lines)]
    return pl.read_ipc(io.BytesIO(reply["rows"][0].as_py()))


def test_a_worker_leaves_out_the_carriage_return_before_the_line_feed() -> None:
    plain, lines = line("/x"), [line("/x"), line("/x") + b"\r", b"\r", b"", line("/x") + b"\r\r"]
    found = evaluated(*lines)
    assert found.select("line", "verdict").rows() == [(1, "disallowed"), (2, "disallowed"), (5, "unreadable")]
    local = pl.DataFrame({"file": [""], "line": [1], "text": [plain]})
    (expected,) = Evaluator(TERMS).rows(local, FORMATS["combined"])["sha256"]
    assert found["sha256"].to_list() == [expected, expected, None]
