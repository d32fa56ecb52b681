"""Each thing is broken once, for a second: no request fails, no answer is wrong, and it recovers by itself.

``make soak`` does the same for longer, in any order.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.postgres import OwnServer
from tests.soak.faults import KINDS, Kind
from tests.soak.world import World, world

SECONDS = 0.7
ASKING: dict[str, Any] = {"sites": 500, "clients": 8, "pause": 0.01, "seed": 20261125}
BOUND = 5.0  # it is about what they answer: how soon is measured where nothing else runs
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
def machine_of_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
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
def test_nobody_gets_a_wrong_answer_while_it_lasts(kind: Kind, machine: World) -> None:
    tried(kind, machine)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if not set(kind.needs) & {"follower", "server", "proxy"}],
    ids=lambda kind: kind.name,
)
def test_nobody_gets_one_of_a_registry_in_sqlite_either(kind: Kind, machine_of_sqlite: World) -> None:
    tried(kind, machine_of_sqlite)
