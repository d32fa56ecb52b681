"""A server, and a fetcher that may connect to it."""

from collections.abc import AsyncIterator

import pytest

from aipolicy.web.fetcher import Fetcher
from tests.web.server import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest.fixture
async def inside() -> AsyncIterator[Fetcher]:
    async with Fetcher(allow_private=True, seconds=5) as fetcher:
        yield fetcher
