"""Metrics for Prometheus at ``status_path``."""

import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import LocalLookup
from aipolicy.serving.disallowed_fetches import FetchCounts
from aipolicy.serving.enforcement import EnforceMode
from tests.asgi.apps import answering, lookup
from tests.asgi_client import Response, request
from tests.lookup.harness import another_registry
from tests.registry.conftest import ROOT

PATH = "/aipolicy/metrics"


def with_status(**options: Any) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(answering(), lookup(), status_path=PATH, **options)


def samples_of(response: Response) -> dict[str, float]:
    families = text_string_to_metric_families(response.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def fetches(response: Response) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(response.text)
    return {
        (sample.labels["crawler"], sample.labels["outcome"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "aipolicy_disallowed_fetches_total"
    }


@pytest.mark.parametrize(("enforce", "outcome"), [("monitor", "reported"), ("declared", "refused")])
async def test_disallowed_fetches_are_counted_by_product_token_and_outcome(
    enforce: EnforceMode, outcome: str
) -> None:
    app = with_status(enforce=enforce)
    assert fetches(await request(app, PATH)) == {}
    agents = ["GPTBot/1.1", "GPTBot/1.2", "CCBot/2.0", "Unknown-Bot-7/1.0", "Mozilla/5.0"]
    for user_agent in agents:
        await request(app, "/post", user_agent=user_agent)
        await request(app, "/robots.txt", user_agent=user_agent)
    assert fetches(await request(app, PATH)) == {("GPTBot", outcome): 2, ("CCBot", outcome): 1}


async def test_without_enforcement_no_fetches_are_counted() -> None:
    assert "disallowed_fetches" not in (await request(with_status(), PATH)).text


def test_a_child_process_counts_from_zero() -> None:
    counts = FetchCounts()
    counts.add("GPTBot", "refused")
    counts.after_fork()
    assert counts.items() == []


async def test_prometheus_reads_the_status_at_the_path() -> None:
    app = with_status()
    for _ in range(3):
        await request(app)
    response = await request(app, PATH, host="10.0.0.7:9000")
    assert response.status == 200
    assert (response.one("content-type") or "").startswith("text/plain")
    assert response.one("cache-control") == "no-store"
    assert response.one("content-length") == str(len(response.body))
    samples = samples_of(response)
    assert samples["aipolicy_lookup_sites"] == 1
    assert samples["aipolicy_lookup_sites_max"] == 100_000
    assert samples["aipolicy_lookup_up"] == 1
    assert samples["aipolicy_lookup_misses_total"] >= 1
    assert samples["aipolicy_lookup_memory_bytes"] > 1000
    assert (samples["aipolicy_lookup_loads"], samples["aipolicy_lookup_renewals_total"]) == (0, 0)
    assert samples["aipolicy_lookup_refused_total"] == 0
    assert "aipolicy_lookup_seq" not in samples, "an application's own flag has no numbers"


async def test_a_registrys_number_and_its_errors_are_metrics(tmp_path: Any) -> None:
    path = another_registry(tmp_path / "registry.db", "blog.example", lookup().default.policy)
    due = LocalLookup(path, refresh=0.5, clock=count().__next__)  # a second goes by with each glance at it
    app = AIPolicyMiddleware(answering(), due, status_path=PATH)
    samples = samples_of(await request(app, PATH))
    assert (samples["aipolicy_lookup_seq"], samples["aipolicy_lookup_up"]) == (1, 1)
    path.unlink()
    samples = samples_of(await request(app, PATH))
    assert (samples["aipolicy_lookup_seq"], samples["aipolicy_lookup_up"]) == (1, 0)


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
def test_a_path_that_is_invalid_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="status_path is"):
        AIPolicyMiddleware(answering(), lookup(), status_path=path)


def test_a_lookup_without_a_status_is_refused() -> None:
    class Own:
        default = strict_default = None
        peek: Callable[[bytes], None] = staticmethod(lambda host: None)

    with pytest.raises(TypeError, match="has none"):
        AIPolicyMiddleware(answering(), Own(), status_path=PATH)  # type: ignore[arg-type]


def test_without_the_client_the_error_has_the_command_that_installs_it() -> None:
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
