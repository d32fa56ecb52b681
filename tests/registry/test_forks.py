"""A registry that was used before a fork: the child connects for itself, and the parent continues."""

import threading

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from tests.forking import in_child

NO_AI = SitePolicy.from_preset("no-ai")


def test_parent_and_child_both_read_and_write(registry: Registry) -> None:
    registry.put(NO_AI.for_site("before.example"), by="test")

    def child(name: str) -> None:
        assert registry.get("before.example") is not None
        registry.put(NO_AI.for_site(name), by="child")
        registry.close()

    for number in range(3):
        in_child(lambda number=number: child(f"child{number}.example"))  # type: ignore[misc]
        registry.put(NO_AI.for_site(f"parent{number}.example"), by="test")
        assert registry.get(f"child{number}.example") is not None
    assert registry.seq == 7


def test_a_child_that_never_uses_it_leaves_the_parent_connected(registry: Registry) -> None:
    registry.put(NO_AI.for_site("before.example"), by="test")
    in_child(lambda: None)
    registry.put(NO_AI.for_site("after.example"), by="test")
    assert registry.seq == 2


def test_a_write_lock_held_by_another_thread_is_free_in_the_child(registry: Registry) -> None:
    going, forked = threading.Event(), threading.Event()

    def write() -> None:
        with registry._database._write_lock:
            going.set()
            forked.wait(30)

    thread = threading.Thread(target=write)
    thread.start()
    going.wait(30)
    try:
        in_child(lambda: registry.put(NO_AI.for_site("child.example"), by="child"))
    finally:
        forked.set()
        thread.join()
    assert registry.seq == 1
