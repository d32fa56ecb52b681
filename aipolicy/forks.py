"""Locks and objects that stay usable in a child process after a fork.

The child has only the thread that forked, and a copy of everything else: a lock that another thread held is
never released, a pool has lost its threads, and connections and file handles are shared with the parent.
"""

import logging
import os
import threading
from typing import Protocol
from weakref import WeakSet

logger = logging.getLogger("aipolicy")


class Forkable(Protocol):
    """An object that holds threads, connections or file handles."""

    def after_fork(self) -> None:
        """Release the parent's resources. Called in the child before anything else runs."""


_locks: "WeakSet[threading.RLock]" = WeakSet()
_forkables: WeakSet[Forkable] = WeakSet()
_held: dict[int, list["threading.RLock"]] = {}


def fork_safe_lock() -> "threading.RLock":
    """Return a lock that no other thread holds while the process forks, so the child's copy is consistent.

    Never acquire one while holding another: a fork acquires all of them, in any order.
    """
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def survive_forks(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in each child process, for as long as the object exists."""
    _forkables.add(forkable)


def _before() -> None:
    held = _held[threading.get_ident()] = []
    for lock in list(_locks):
        lock.acquire()
        held.append(lock)


def _after_in_parent() -> None:
    for lock in _held.pop(threading.get_ident(), []):
        lock.release()


def _after_in_child() -> None:
    _after_in_parent()
    for forkable in list(_forkables):
        try:
            forkable.after_fork()
        except Exception:
            logger.exception("%s may not work in this child process", type(forkable).__name__)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
