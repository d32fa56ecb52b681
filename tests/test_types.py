"""The types of the public API: mypy and pyright accept its right uses, and reject each misspelling."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aipolicy

ROOT = Path(__file__).parents[1]

SAMPLE = """\
from typing import Any

from aipolicy import (
    AIPolicyError, AIPolicyMiddleware, CachedLookup, Category, LocalLookup, PathTenants, Preference,
    Preferences, Registry, Signals, SitePolicy, Visibility, __version__, crawlers, robots_txt,
)
from aipolicy.lookup import LoadResult, Lookup
from aipolicy import render  # error

app: Any = None

def load(host: str) -> LoadResult:
    if host == "a.example":
        return "no-training"
    if host == "b.example":
        return 1
    if host == "c.example":
        return SitePolicy(site="c.example", preferences=Preferences(train_ai=Preference.DISALLOW))
    return None if host == "d.example" else True

async def load_later(host: str) -> LoadResult:
    return load(host)

def misspelt(host: str) -> LoadResult:
    return "no_training"  # error

def number(host: str) -> LoadResult:
    return 2  # error

def anything(host: str) -> dict[str, bool]:
    return {"opted_out": True}

lookup = CachedLookup(load, default="unset")
CachedLookup(load_later, default=SitePolicy.from_preset("no-ai"))
CachedLookup(lambda host: host == "a.example")
LocalLookup("aipolicy.db", default="allow")
CachedLookup(anything)  # error
CachedLookup(load, default="no_training")  # error
CachedLookup(load, default=True)  # error
LocalLookup("aipolicy.db", default="none")  # error

lookup.status().hit_ratio
both: list[Lookup] = [lookup, LocalLookup("aipolicy.db")]
both[0].status().error

AIPolicyMiddleware(app, lookup, enforce="declared")
AIPolicyMiddleware(app, lookup, enforce="monitor")
AIPolicyMiddleware(app, lookup, enforce="verified")
AIPolicyMiddleware(app, lookup, enforce="declare")  # error
AIPolicyMiddleware(app, app=lookup)  # error
AIPolicyMiddleware(app, lookup, enforce="refuse")  # error
PathTenants(lambda scope: None, listing="path")  # error

SitePolicy.from_preset("no-training", site="a.example", visibility="discouraged")
SitePolicy(visibility=Visibility.PRIVATE)
SitePolicy(visibility="private", scope="broad")
SitePolicy(preferences="no-training")  # error
SitePolicy("no-training")  # error
SitePolicy(visibility="secret")  # error
SitePolicy.from_preset("no_training")  # error
SitePolicy.from_preset("no-training", visibility="hidden")  # error

text: bytes = robots_txt(SitePolicy.from_preset("allow"))
version: str = __version__
"""
EXPECTED = [line for line, text in enumerate(SAMPLE.splitlines(), 1) if text.endswith("# error")]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("types") / "sample.py"
    path.write_text(SAMPLE)
    return path


def test_the_sample_imports_every_public_name() -> None:
    assert set(aipolicy.__all__) <= set(re.findall(r"\w+", SAMPLE.partition(")")[0]))


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="needs mypy: pip install mypy")
def test_mypy_rejects_each_misspelling_and_nothing_else(sample: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", sample.name]
    done = subprocess.run(
        command,
        cwd=sample.parent,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = {int(number) for number in re.findall(r"^sample\.py:(\d+): error:", done.stdout, re.MULTILINE)}
    assert sorted(found) == EXPECTED, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("basedpyright"), reason="needs pyright: pip install basedpyright"
)
def test_pyright_rejects_each_misspelling_and_nothing_else(sample: Path) -> None:
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}
    (sample.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        sample.name,
    ]
    done = subprocess.run(
        command, cwd=sample.parent, capture_output=True, text=True, timeout=300, check=False
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}
    assert sorted(errors) == EXPECTED, found
