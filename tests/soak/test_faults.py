"""Each fault once, for a second: no request fails, no answer is wrong, and all workers recover.

``make soak`` does the same for longer, in any order.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.postgres import OwnServer
from tests.registry.conftest import ROOT
from tests.replica.helpers import eventually
from tests.soak.faults import KINDS, Kind
from tests.soak.world import World, world

STATUS = "/aipolicy/metrics"  # as in tests.soak.app

SECONDS = 0.7
ASKING: dict[str, Any] = {"sites": 500, "clients": 8, "pause": 0.01, "seed": 20261125}
BOUND = 5.0  # seconds: generous, because other tests may run at the same time
MOST_LINES = 3  # about one outage, in the log of one worker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, postgres_server: OwnServer) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("soak")
    with world(folder, postgres_server, **ASKING, bound=BOUND) as made:
        yield made


@pytest.fixture(scope="module")
def sqlite_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("soak")
    with world(folder, None, **ASKING, bound=BOUND) as made:
        yield made


def tried(kind: Kind, machine: World) -> None:
    if not kind.possible(machine):
        pytest.skip("needs libfaketime: apt install faketime")
    tally = machine.tally
    before = len(tally.complaints)
    with kind.tried(machine):
        time.sleep(SECONDS)
    phase = tally.phases[kind.name]
    assert tally.complaints[before:] == []
    assert phase.requests > 100
    assert phase.lines <= MOST_LINES


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_no_answer_is_wrong_during_a_fault(kind: Kind, machine: World) -> None:
    tried(kind, machine)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if not set(kind.needs) & {"follower", "server", "proxy"}],
    ids=lambda kind: kind.name,
)
def test_no_answer_is_wrong_with_a_registry_in_sqlite(kind: Kind, sqlite_machine: World) -> None:
    tried(kind, sqlite_machine)


def test_an_outage_of_postgresql_is_reported_in_metrics_status_and_log(machine: World) -> None:
    assert machine.follower
    machine.follower.log.new()
    began = time.monotonic()
    with fault_named("PostgreSQL stopped").tried(machine):
        eventually(lambda: seconds_behind(machine) > 1.5)
        assert metric(machine, "aipolicy_replica_up") == 0
        assert metric(machine, "aipolicy_lookup_up") == 1, "the workers can read the replica"
        status = shown_status(machine.file)
        assert status["seconds_behind"] > 1.5
        assert status["follower"] == machine.follower.pid
        assert "check" in status["trouble"] or "ended the connection" in status["trouble"]
    eventually(lambda: metric(machine, "aipolicy_replica_up") == 1)
    assert seconds_behind(machine) < 2
    seconds = time.monotonic() - began
    lines = machine.follower.log.new()
    assert "up to date again" in lines[-1]
    messages = [re.sub(r"[0-9.]+", "N", line) for line in lines[:-1]]
    assert 1 <= len(set(messages)) <= 5, lines
    assert len(messages) - len(set(messages)) <= seconds // 60 + 1, "each message once, and again each minute"


def fault_named(name: str) -> Kind:
    (kind,) = (kind for kind in KINDS if kind.name == name)
    return kind


def seconds_behind(machine: World) -> float:
    return metric(machine, "aipolicy_replica_behind_seconds")


def metric(machine: World, figure: str) -> float:
    """Return the value of a metric of one of the workers."""
    with urlopen(f"http://127.0.0.1:{machine.port}{STATUS}", timeout=10) as response:
        text = response.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    (value,) = (sample.value for sample in samples if sample.name == figure)
    return float(value)


def shown_status(file: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "aipolicy",
        "show",
        "--status",
        "--registry",
        f"sqlite:///{file}",
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    status_document: dict[str, Any] = json.loads(done.stdout)
    return status_document
