"""Fixtures for each database that a registry can use; the tests run with all of them."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy

from aipolicy.registry import Registry
from tests.postgres import Schemas

NewURL = Callable[[], str]

ROOT = Path(__file__).parents[2]
"""Directory where a child process finds ``tests.registry.writer``."""


class Clock:
    """A clock that only advances when it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewURL:
    """Return a function that returns the address of a new database."""
    if request.param == "postgresql":
        schemas: Schemas = request.getfixturevalue("schemas")
        return schemas.new
    numbers = itertools.count(1)
    return lambda: f"sqlite:///{tmp_path}/registry-{next(numbers)}.db"


@pytest.fixture
def url(new_url: NewURL) -> str:
    return new_url()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(url: str, clock: Clock) -> Iterator[Registry]:
    with Registry(url, clock=clock) as opened:
        yield opened


@contextmanager
def raw(url: str) -> Iterator[sqlalchemy.Connection]:
    """Connect to the database as another program does, in a transaction."""
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
