"""The Spark engine gives the same JSON as the local one."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.accesslog.labelled import linewise, objects, tables
from tests.accesslog.labelled.command import check_logs
from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.handwritten import ROBOTS, line, write_log
from tests.accesslog.labelled.test_exact import ALL, assert_exact
from tests.accesslog.labelled.worlds import make_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("pyspark") is None,
        reason="needs pyspark: pip install 'asgi-aipolicy[spark]'",
    ),
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="needs Java: apt-get install openjdk-17-jre-headless",
    ),
]


@pytest.mark.parametrize(
    ("seed", "forms", "master"),
    [
        (81, {"access.log": linewise.VCOMBINED}, "local[2]"),
        (82, {"a.json": objects.CADDY, "b.json.gz": objects.CADDY}, "local-cluster[2,1,1024]"),
        (83, {"u_ex.log": tables.W3C}, "local[2]"),
    ],
)  # fmt: skip
def test_spark_gives_the_result_of_the_local_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, forms: dict[str, Form], master: str
) -> None:
    in_small_parts(tmp_path, monkeypatch)
    world = make_world(tmp_path, seed, forms, requests=4000)
    arguments = (*world.names, *world.options, *world.policies, *ALL, "--by", "path")
    local = check_logs(tmp_path, *arguments)
    spark = check_logs(tmp_path, *arguments, "--engine", "spark", "--master", master, timeout=300)
    assert_exact(spark, world)
    assert comparable(spark.document) == comparable(local.document)
    assert spark.code == local.code


def test_lines_may_be_in_a_column_of_parquet_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(tmp_path, monkeypatch)
    lines = [line(f"/private/{n}" if n % 7 else "/open") for n in range(3000)]
    plain = check_logs(tmp_path, write_log(tmp_path, *lines), *ROBOTS, "--json").document
    (tmp_path / "logs").mkdir()
    for part in range(3):
        own = pl.DataFrame({"value": [text.decode() for text in lines[part * 1000 :][:1000]]})
        own.write_parquet(tmp_path / f"logs/{part}.parquet", row_group_size=100)
    arguments = (*[f"logs/{part}.parquet" for part in range(3)], *ROBOTS, "--json", "--top", "0")
    spark = check_logs(
        tmp_path, *arguments, "--engine", "spark", "--master", "local[2]", timeout=300
    ).document
    assert spark["total"] == plain["total"]
    numbers = [(row["file"], row["line"]) for row in spark["crawlers"][0]["examples"]]
    wanted = [(f"logs/{n // 1000}.parquet", n % 1000 + 1) for n in range(3000) if n % 7]
    assert sorted(numbers) == wanted


def in_small_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Spark split small files as it splits large ones."""
    (folder / "conf").mkdir()
    sizes = "spark.sql.files.maxPartitionBytes 50000\nspark.sql.files.openCostInBytes 1000\n"
    (folder / "conf/spark-defaults.conf").write_text(sizes)
    monkeypatch.setenv("SPARK_CONF_DIR", str(folder / "conf"))


def test_spark_counts_the_lines_of_a_log_without_requests(tmp_path: Path) -> None:
    (tmp_path / "blank.log").write_text("\n\r\n")
    (tmp_path / "empty.log").write_bytes(b"")
    arguments = (write_log(tmp_path, line()), "blank.log", "empty.log", *ROBOTS, "--json")
    local = check_logs(tmp_path, *arguments)
    spark = check_logs(tmp_path, *arguments, "--engine", "spark", "--master", "local[2]", timeout=300)
    assert local.document["lines"]["read"] == 3
    assert comparable(spark.document) == comparable(local.document)


def test_an_invalid_master_is_an_error(tmp_path: Path) -> None:
    arguments = (write_log(tmp_path, line()), *ROBOTS, "--engine", "spark", "--master", "nonsense")
    outcome = check_logs(tmp_path, *arguments)
    assert outcome.code == 2
    assert "Spark can't be started" in outcome.err
    assert "--master 'nonsense'" in outcome.err


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its time and engine."""
    method = {name: value for name, value in document["method"].items() if name != "engine"}
    return {**document, "made": None, "method": method}
