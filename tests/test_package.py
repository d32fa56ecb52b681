"""The package as a whole: its exports, and the modules that an import loads."""

import importlib.metadata
import subprocess
import sys

import pytest

import aipolicy

HEAVY = {
    "click",
    "cryptography",
    "dns",
    "http_message_signatures",
    "httpcore",
    "httpx",
    "idna",
    "http_sf",
    "jinja2",
    "polars",
    "prometheus_client",
    "psycopg",
    "rich",
    "sqlalchemy",
    "uvicorn",
}

LIGHT = HEAVY | {"anyio", "asyncio", "cachetools", "sqlite3", "starlette"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_every_public_name_exists_and_is_sorted() -> None:
    assert all(hasattr(aipolicy, name) for name in aipolicy.__all__)
    assert len(set(aipolicy.__all__)) == len(aipolicy.__all__)
    assert set(aipolicy.__all__) <= set(dir(aipolicy))


def test_a_name_that_is_not_public_is_missing_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match=r"^module 'aipolicy' has no attribute 'render'$"):
        aipolicy.render  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'render'"):
        from aipolicy import render  # type: ignore[attr-defined]  # noqa: F401


def test_the_installed_distribution_has_the_version_of_the_source() -> None:
    assert importlib.metadata.version("asgi-aipolicy") == aipolicy.__version__


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import aipolicy", LIGHT),
        ("from aipolicy import SitePolicy, Preferences, Signals, robots_txt", LIGHT),
        ("from aipolicy import AIPolicyMiddleware, CachedLookup, LocalLookup", HEAVY),
        ("import aipolicy.asgi", HEAVY),
        ("import aipolicy.lookup", HEAVY),
        ("import aipolicy.identity", HEAVY),
        ("import aipolicy.registry", HEAVY - {"sqlalchemy"}),
        ("import aipolicy.cli", HEAVY - {"click"}),
    ],
)
def test_an_import_loads_only_what_it_uses(statement: str, absent: set[str]) -> None:
    assert not loaded_by(statement) & absent
