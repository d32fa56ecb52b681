"""A registry in each database, and its partners."""

from datetime import date

import pytest

from aipolicy.partners.ledger import Partner, Partners
from aipolicy.partners.removals import Removals
from aipolicy.registry import Registry
from tests.registry.conftest import Clock, NewURL, clock, new_url, registry, url

__all__ = ["Clock", "NewURL", "clock", "new_url", "registry", "url"]


@pytest.fixture
def partners(registry: Registry, clock: Clock) -> Partners:
    return Partners(registry, clock=clock)


@pytest.fixture
def removals(partners: Partners) -> Removals:
    return Removals(partners)


def add(
    partners: Partners,
    name: str = "openai",
    *crawlers: str,
    receives: str = "crawl",
    since: str = "2026-01-01",
) -> tuple[Partner, str]:
    """Add a partner that gets content in the ways that ``receives`` names, apart by spaces."""
    return partners.add(
        name,
        crawlers=crawlers or ("GPTBot", "OAI-SearchBot"),
        contact=f"legal@{name}.example",
        receives=receives.split(),
        since=date.fromisoformat(since),
    )
