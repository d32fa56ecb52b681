"""A program that writes to a registry: ``python -m tests.registry.writer URL NAME THREADS [COUNT]``.

It loads, says ``ready`` and waits for a line on stdin. Then each thread opts out ``COUNT`` sites (no count:
until it is killed) named ``NAME-THREAD-NUMBER.example``, and prints ``SEQ HOST`` after each put returned.
"""

import itertools
import os
import sys
import threading

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry


def main(url: str, name: str, threads: str, count: str = "") -> None:
    say("ready")
    sys.stdin.readline()
    with Registry(url) as registry:
        writers = [
            threading.Thread(target=write, args=(registry, f"{name}-{number}", count))
            for number in range(int(threads))
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()


def write(registry: Registry, name: str, count: str) -> None:
    for number in range(int(count)) if count else itertools.count():
        host = f"{name}-{number}.example"
        change = registry.put(SitePolicy.from_flag(True, site=host), by=name, hosts=[f"www.{host}"])
        say(f"{change.seq} {host}")


def say(line: str) -> None:
    # One write of less than a pipe's atomic size: a line is there completely or not at all.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
