"""``aipolicy replica``: how its file is named."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("sqlite:////no/such/replica.db", "'/no/such/replica.db.lock' can't be made"),
        ("postgresql://db/blogs", "--to 'postgresql://db/blogs': registry is a postgresql URL"),
    ],
)
def test_the_replica_is_named_as_a_lookup_names_it(aipolicy: Run, to: str, told: str) -> None:
    done = aipolicy("replica", "--registry", "postgresql://127.0.0.1:1/blogs", "--to", to)
    assert done.returncode == 2
    assert told in done.stderr
