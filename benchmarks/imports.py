"""The time to import the middleware and the lookups: ``python benchmarks/imports.py``.

Each import runs in a new process with compiled modules; the CPU time of a process that imports nothing is
subtracted. Prints the median over the rounds, and the ratio to the import of the dependencies alone.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 25
NEEDED = "import asyncio, anyio, cachetools, logging, protego, sqlite3, starlette.types"
OURS = "import aipolicy.asgi, aipolicy.lookup"


def seconds(statement: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)  # to the microsecond; os.times() has hundredths
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as compiled:  # wherever it is run: the first round fills it
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        statements = ("pass", NEEDED, OURS)
        rounds = [[seconds(s, environment) for s in statements] for _ in range(ROUNDS + 1)][1:]
    needed = statistics.median(needed - nothing for nothing, needed, _ in rounds)
    ours = statistics.median(ours - nothing for nothing, _, ours in rounds)
    ratio = statistics.median((ours - nothing) / (needed - nothing) for nothing, needed, ours in rounds)
    print(f"what is needed {needed * 1e3:.0f} ms, aipolicy.asgi and the lookups {ours * 1e3:.0f} ms CPU")
    print(f"{ratio:.2f}x (target 1.3)")


if __name__ == "__main__":
    main()
