"""``status_path``: the lookup's status as Prometheus reads it, only where it is asked for."""

import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import LocalLookup
from tests.asgi.apps import answering, lookup
from tests.asgi_client import Response, request
from tests.lookup.harness import another_registry
from tests.registry.conftest import ROOT

PATH = "/aipolicy/metrics"


def with_status(**options: Any) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(answering(), lookup(), status_path=PATH, **options)


def figures(response: Response) -> dict[str, float]:
    families = text_string_to_metric_families(response.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


async def test_prometheus_reads_the_status_at_the_path() -> None:
    app = with_status()
    for _ in range(3):
        await request(app)
    response = await request(app, PATH, host="10.0.0.7:9000")
    assert response.status == 200
    assert (response.one("content-type") or "").startswith("text/plain")
    assert response.one("cache-control") == "no-store"
    assert response.one("content-length") == str(len(response.body))
    told = figures(response)
    assert told["aipolicy_lookup_sites"] == 1
    assert told["aipolicy_lookup_sites_max"] == 100_000
    assert told["aipolicy_lookup_up"] == 1
    assert told["aipolicy_lookup_misses_total"] >= 1
    assert told["aipolicy_lookup_memory_bytes"] > 1000
    assert (told["aipolicy_lookup_loads"], told["aipolicy_lookup_renewals_total"]) == (0, 0)
    assert told["aipolicy_lookup_refused_total"] == 0
    assert "aipolicy_lookup_seq" not in told, "an application's own flag has no numbers"


async def test_a_registrys_number_and_its_trouble_are_told(tmp_path: Any) -> None:
    path = another_registry(tmp_path / "registry.db", "blog.example", lookup().default.policy)
    due = LocalLookup(path, refresh=0.5, clock=count().__next__)  # a second goes by with each glance at it
    app = AIPolicyMiddleware(answering(), due, status_path=PATH)
    told = figures(await request(app, PATH))
    assert (told["aipolicy_lookup_seq"], told["aipolicy_lookup_up"]) == (1, 1)
    path.unlink()
    told = figures(await request(app, PATH))
    assert (told["aipolicy_lookup_seq"], told["aipolicy_lookup_up"]) == (1, 0)


@pytest.mark.parametrize("path", ["/", "/metrics", "/aipolicy/metrics/", "/x/aipolicy/metrics"])
async def test_every_other_path_is_the_applications(path: str) -> None:
    assert (await request(with_status(), path)).body == b"hello"


async def test_by_default_there_is_no_such_path() -> None:
    assert (await request(AIPolicyMiddleware(answering(), lookup()), PATH)).body == b"hello"


async def test_head_has_no_body() -> None:
    response = await request(with_status(), PATH, method="HEAD")
    assert (response.status, response.body) == (200, b"")


async def test_the_files_stay_where_they_are() -> None:
    assert "User-agent: GPTBot" in (await request(with_status(), "/robots.txt")).text


@pytest.mark.parametrize("path", ["metrics", "", "/robots.txt"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="status_path is"):
        AIPolicyMiddleware(answering(), lookup(), status_path=path)


def test_a_lookup_without_a_status_is_refused() -> None:
    class Own:
        peek: Callable[[bytes], None] = staticmethod(lambda host: None)

    with pytest.raises(TypeError, match="has none"):
        AIPolicyMiddleware(answering(), Own(), status_path=PATH)  # type: ignore[arg-type]


def test_without_the_client_the_command_that_installs_it_is_told() -> None:
    program = (
        "import sys\n"
        "sys.modules['prometheus_client'] = None\n"
        "from aipolicy.asgi import AIPolicyMiddleware\n"
        "from aipolicy.errors import MissingExtraError\n"
        "from aipolicy.lookup import CachedLookup\n"
        "try: AIPolicyMiddleware(print, CachedLookup(print), status_path='/metrics')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "status_path needs prometheus-client: pip install 'asgi-aipolicy[metrics]'\n"
