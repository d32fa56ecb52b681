"""``aipolicy robots --all``."""

import json
from pathlib import Path

import pytest

from aipolicy.registry import Registry
from tests.cli.conftest import Run, aipolicy

__all__ = ["aipolicy"]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    from aipolicy.core.policy import SitePolicy

    with Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry:
        registry.put_many((SitePolicy.from_flag(True, site=f"{n}.example") for n in "abc"), by="import")
    return tmp_path


def test_the_first_run_writes_all_sites_and_the_next_the_changes(aipolicy: Run, three: Path) -> None:
    first = aipolicy("robots", "--all", "--out", "out")
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr == "out: 3 written, 0 unchanged, 0 removed (change 3)\n"
    assert (three / "out/robots/a/a.example").read_text() == aipolicy("robots", "--site", "a.example").stdout
    aipolicy("set", "b.example", "--preset", "unset")
    again = json.loads(aipolicy("robots", "--all", "--out", "out", "--json").stdout)
    assert again == {
        "out": "out",
        "full": False,
        "seq": 4,
        "written": 1,
        "unchanged": 0,
        "removed": 0,
        "failed": 0,
        "errors": [],
    }
    assert "3 unchanged" in aipolicy("robots", "--all", "--out", "out", "--full").stderr


def test_a_signal_switch_applies_to_all_files(aipolicy: Run, three: Path) -> None:
    aipolicy("robots", "--all", "--out", "out", "--no-content-signal")
    assert "Content-Signal" not in (three / "out/robots/a/a.example").read_text()


def test_unknown_hosts_have_the_default_of_the_last_run(aipolicy: Run, three: Path) -> None:
    robots, tdmrep = three / "out/default.txt", three / "out/default.tdmrep.json"
    for options, preset, listed in (
        ((), "no-training", True),
        (("--default", "unset"), "unset", False),
        (("--default", "no-ai"), "no-ai", True),
        ((), "no-training", True),
    ):
        assert aipolicy("robots", "--all", "--out", "out", *options).returncode == 0
        assert robots.read_text() == aipolicy("robots", "--preset", preset).stdout
        assert (json.loads(tdmrep.read_text()) != []) == listed


def test_an_unusable_policy_is_closed_whatever_the_default_is(aipolicy: Run, three: Path) -> None:
    with (
        Registry(f"sqlite:///{three}/aipolicy.db") as registry,
        registry._database.writing() as connection,
    ):
        connection.exec_driver_sql("UPDATE site SET policy = '{' WHERE name = 'b.example'")
    assert aipolicy("robots", "--all", "--out", "out", "--default", "unset").returncode == 1
    assert "User-agent: GPTBot" in (three / "out/robots/b/b.example").read_text()


def test_an_unusable_policy_is_reported_and_the_others_are_written(aipolicy: Run, three: Path) -> None:
    with (
        Registry(f"sqlite:///{three}/aipolicy.db") as registry,
        registry._database.writing() as connection,
    ):
        connection.exec_driver_sql("UPDATE site SET policy = '{' WHERE name = 'b.example'")
    done = aipolicy("robots", "--all", "--out", "out")
    assert done.returncode == 1
    assert "the policy of 'b.example' can't be used" in done.stderr
    assert "3 written" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["--all"], "--out DIR"),
        (["--out", "out"], "--all"),
        (["--full", "--preset", "no-ai"], "--all"),
        (["--all", "--out", "out", "--site", "a.example"], "--site"),
        (["--all", "--out", "out", "--preset", "no-ai"], "registry"),
        (["--all", "--out", "aipolicy.db/out"], "aipolicy.db"),
        (["--all", "--out", "."], "aipolicy didn't write"),
        (["--all", "--out", "out", "--registry", "sqlite:///missing.db"], "missing.db"),
    ],
)
def test_wrong_options_are_errors_that_name_the_culprit(
    aipolicy: Run, three: Path, arguments: list[str], culprit: str
) -> None:
    done = aipolicy("robots", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert culprit in done.stderr
    assert "Traceback" not in done.stderr
    assert not (three / "out").exists()
