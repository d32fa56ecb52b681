"""``aipolicy replica``: the path of its file."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("to", "output"),
    [
        ("sqlite:////no/such/replica.db", "'/no/such/replica.db.lock' can't be created"),
        ("postgresql://db/blogs", "--to 'postgresql://db/blogs': registry is a postgresql URL"),
    ],
)
def test_the_replica_is_a_path_or_a_url(aipolicy: Run, to: str, output: str) -> None:
    done = aipolicy("replica", "--registry", "postgresql://127.0.0.1:1/blogs", "--to", to)
    assert done.returncode == 2
    assert output in done.stderr
