"""Locks and objects that stay usable in a child process.

After a fork the child has one thread, and a copy of everything else: a lock that another thread held is never
released there, the threads of a pool are gone, and connections and file handles are shared with the parent.
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
        """In the child, before anything else runs there: let go of what is the parent's."""


_locks: "WeakSet[threading.RLock]" = WeakSet()
_forkables: WeakSet[Forkable] = WeakSet()
_held: dict[int, list["threading.RLock"]] = {}


def fork_safe_lock() -> "threading.RLock":
    """Return a lock that no other thread holds while the process forks, so what it guards is copied whole.

    Never take one while another of them is held: a fork takes them all, in any order.
    """
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def survive_forks(forkable: Forkable) -> None:
    """Call ``forkable.after_fork()`` in each child, for as long as somebody else refers to it."""
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
