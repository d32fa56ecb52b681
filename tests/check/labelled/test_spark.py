"""The same JSON from Spark, to the last number."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.check.labelled import linewise, objects
from tests.check.labelled.command import check_logs
from tests.check.labelled.forms import Form
from tests.check.labelled.small import ROBOTS, line, write_log
from tests.check.labelled.test_exact import ALL, assert_exact
from tests.check.labelled.worlds import make_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("pyspark") is None, reason="needs pyspark: pip install 'aipolicy[spark]'"
    ),
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="needs Java: apt-get install openjdk-17-jre-headless",
    ),
]


@pytest.mark.parametrize(
    ("seed", "forms"),
    [
        (81, {"access.log": linewise.VCOMBINED}),
        (82, {"a.json": objects.CADDY, "b.json.gz": objects.CADDY}),
    ],
)  # fmt: skip
def test_spark_says_what_the_local_engine_says(tmp_path: Path, seed: int, forms: dict[str, Form]) -> None:
    world = make_world(tmp_path, seed, forms, requests=4000)
    arguments = (*world.names, *world.options, *world.policies, *ALL, "--by", "path")
    local = check_logs(tmp_path, *arguments)
    spark = check_logs(tmp_path, *arguments, "--engine", "spark", "--master", "local[2]", timeout=300)
    assert_exact(spark, world)
    assert comparable(spark.document) == comparable(local.document)
    assert spark.code == local.code


def test_spark_counts_the_lines_of_a_log_without_requests(tmp_path: Path) -> None:
    (tmp_path / "blank.log").write_text("\n\r\n")
    (tmp_path / "empty.log").write_bytes(b"")
    arguments = (write_log(tmp_path, line()), "blank.log", "empty.log", *ROBOTS, "--json")
    local = check_logs(tmp_path, *arguments)
    spark = check_logs(tmp_path, *arguments, "--engine", "spark", "--master", "local[2]", timeout=300)
    assert local.document["lines"]["read"] == 3
    assert comparable(spark.document) == comparable(local.document)


def test_a_master_that_is_none_is_told(tmp_path: Path) -> None:
    arguments = (write_log(tmp_path, line()), *ROBOTS, "--engine", "spark", "--master", "nonsense")
    outcome = check_logs(tmp_path, *arguments)
    assert outcome.code == 2
    assert "Spark could not be started" in outcome.err
    assert "--master 'nonsense'" in outcome.err


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """All but when it was made and by which engine."""
    method = {name: value for name, value in document["method"].items() if name != "engine"}
    return {**document, "made": None, "method": method}
