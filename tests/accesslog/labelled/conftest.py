"""Fixtures that many tests share."""

import pytest

from tests.accesslog.labelled.linewise import VCOMBINED
from tests.accesslog.labelled.worlds import World, make_world


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A read-only world: a dozen sites, and 3,000 requests and some hostile lines in one vhost log."""
    return make_world(tmp_path_factory.mktemp("world"), 5, {"access.log": VCOMBINED})
