"""Fixtures: a clock and sources of policies, whose lookups are closed afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lookup.harness import CachedSource, Clock, LocalSource, Source


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cached(clock: Clock) -> CachedSource:
    return CachedSource(clock)


@pytest.fixture
def local(clock: Clock, tmp_path: Path) -> Iterator[LocalSource]:
    source = LocalSource(clock, tmp_path / "registry.db")
    yield source
    source.close()


@pytest.fixture(params=["cached", "local"])
def source(request: pytest.FixtureRequest) -> Source:
    """Return each source in turn."""
    source: Source = request.getfixturevalue(request.param)
    return source
