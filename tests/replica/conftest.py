"""Fixtures: addresses of registries in PostgreSQL, and the path of a replica."""

import logging
from pathlib import Path

import pytest

from tests.postgres import Schemas


@pytest.fixture
def url(schemas: Schemas) -> str:
    return schemas.new()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "replica.db"


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aipolicy")
