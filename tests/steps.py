"""Work counted in calls: the same on every machine, however busy."""

import sys
from collections.abc import Callable


def steps(function: Callable[[], object]) -> int:
    """How many functions, Python's own among them, are called by ``function``."""
    count = 0

    def counted(_: object, event: str, __: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
