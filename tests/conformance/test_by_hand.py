"""scripts/serve_clause.py, which serves the fixture of a clause without any of our code."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from aipolicy.conformance import CLAUSES
from tests.sizes import size

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "serve_clause.py"
CRAWLER = (sys.executable, "-m", "tests.conformance.crawler", "{url}")
BY_TRAP_ALONE = {"own-name", "cache", "nofollow"}  # what a file alone doesn't show
BY_HAND = [clause.id for clause in CLAUSES if clause.id not in BY_TRAP_ALONE]


def by_hand(clause: str, *command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, str(SCRIPT), clause, "--token", "TestCrawler", "--", *command]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_it_imports_only_the_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_has_every_clause() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--list"], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(BY_HAND)


@pytest.mark.proof
@pytest.mark.slow
@pytest.mark.parametrize("clause", BY_HAND[:: size(full=1, ci=6)])
def test_it_distinguishes_crawlers_that_obey(clause: str) -> None:
    good, bad = by_hand(clause, *CRAWLER), by_hand(clause, *CRAWLER, clause)
    assert (json.loads(good.stdout)["verdict"], good.returncode) == ("obeys", 0), good.stderr
    assert json.loads(bad.stdout)["verdict"] in ("disobeys", "over-cautious"), bad.stderr
    assert bad.returncode == 1
