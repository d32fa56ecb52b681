"""The package as a whole: what it exports, and what importing it costs."""

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


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_every_public_name_is_there_and_listed_in_order() -> None:
    assert all(hasattr(aipolicy, name) for name in aipolicy.__all__)
    assert len(set(aipolicy.__all__)) == len(aipolicy.__all__)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import aipolicy", HEAVY | {"anyio", "asyncio", "cachetools", "sqlite3", "starlette"}),
        ("import aipolicy.asgi", HEAVY),
        ("import aipolicy.lookup", HEAVY),
        ("import aipolicy.identity", HEAVY),
        ("import aipolicy.registry", HEAVY - {"sqlalchemy"}),
        ("import aipolicy.cli", HEAVY - {"click"}),
    ],
)
def test_an_import_loads_only_what_it_uses(statement: str, absent: set[str]) -> None:
    assert not loaded_by(statement) & absent
