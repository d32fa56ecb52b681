"""What importing the middleware and the lookups takes: ``python benchmarks/imports.py``.

Fresh processes in turn, each with one import; the CPU time of a process that imports nothing is taken off.
The median over the rounds is printed, and the ratio to importing what they need.
"""

import os
import statistics
import subprocess
import sys

ROUNDS = 25
NEEDED = "import asyncio, anyio, cachetools, logging, mimetypes, protego, sqlite3, starlette.types"
OURS = "import aipolicy.asgi, aipolicy.lookup"


def seconds(statement: str) -> float:
    before = os.times()
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    rounds = [tuple(map(seconds, ("pass", NEEDED, OURS))) for _ in range(ROUNDS + 1)][1:]
    needed = statistics.median(needed - nothing for nothing, needed, _ in rounds)
    ours = statistics.median(ours - nothing for nothing, _, ours in rounds)
    ratio = statistics.median((ours - nothing) / (needed - nothing) for nothing, needed, ours in rounds)
    print(f"what is needed {needed * 1e3:.0f} ms, aipolicy.asgi and the lookups {ours * 1e3:.0f} ms CPU")
    print(f"{ratio:.2f}x (target 1.3)")


if __name__ == "__main__":
    main()
