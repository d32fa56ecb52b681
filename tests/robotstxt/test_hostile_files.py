"""Hostile files in lint, diff and explain: twice the file is about twice the work."""

from collections.abc import Callable

import pytest

from aipolicy.robotstxt import compare, explain, lint
from tests.effort import calls
from tests.hostile import PATHS, files
from tests.sizes import size

SMALL = size(full=60_000, ci=3_000)
ONCE, TWICE = files(SMALL), files(2 * SMALL)
COMMANDS: dict[str, Callable[[bytes], object]] = {
    "lint": lint,
    "diff": lambda file: compare(file, file[: len(file) // 2]),
    "explain": lambda file: explain(file, "GPTBot", PATHS[2]),
}


@pytest.mark.proof
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ONCE)
def test_the_work_grows_with_the_file_alone(name: str, command: str) -> None:
    run = COMMANDS[command]
    _, once = calls(lambda: run(ONCE[name]))
    _, twice = calls(lambda: run(TWICE[name]))
    assert twice < 3 * once + 300_000  # four times as much, were each line compared with each
