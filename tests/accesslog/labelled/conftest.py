"""One world that many tests ask about."""

import pytest

from tests.accesslog.labelled.linewise import VCOMBINED
from tests.accesslog.labelled.worlds import World, make_world


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A dozen sites, 3,000 requests in one vhost log, hostile lines between; read only."""
    return make_world(tmp_path_factory.mktemp("world"), 5, {"access.log": VCOMBINED})
