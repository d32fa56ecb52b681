"""The contract tests of lookups, run by trio."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import trio

from tests.lookup import test_contract


def under_trio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return the same test, run by trio."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        trio.run(functools.partial(test, **fixtures))

    return run


# One takes long, and waits for nothing.
TESTS = {
    name: test
    for name, test in vars(test_contract).items()
    if name.startswith("test_")
    and inspect.iscoroutinefunction(test)
    and not hasattr(test, "hypothesis")
    and name != "test_random_hosts_cost_no_memory_and_evict_no_site"
}
globals().update({f"{name}_under_trio": under_trio(test) for name, test in TESTS.items()})


def test_the_contract_is_not_empty() -> None:
    assert len(TESTS) > 20
