"""Logs that were given more than once: each of their fetches would be counted as often."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from aipolicy.accesslog.blocks import blocks
from aipolicy.errors import AIPolicyError

_START = 1 << 16  # octets
_TOLD = 3


def without_repeats(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The logs, each file once, whatever its names; and what to tell of those that are left out.

    Two that only begin alike, like one and its compressed copy, are both kept, and told, too.
    """
    kept: dict[object, str] = {}
    said: list[str] = []
    for name in dict.fromkeys(names):
        first = kept.setdefault(_file(name), name)
        if first != name:
            said.append(f"{name!r} is the same file as {first!r}: it was read once")
    logs = list(kept.values())
    return logs, [
        *_few(said, "are the same files as others"),
        *_few(list(_alike(logs)), "begin as others do"),
    ]


def _few(said: list[str], what: str) -> list[str]:
    more = len(said) - _TOLD
    return [*said[:_TOLD], f"{more} more logs {what}"] if more > 1 else said


def _file(name: str) -> object:
    try:
        found = Path(name).stat()
    except (OSError, ValueError):  # opening it will say what is wrong; or another machine has it
        return name
    return found.st_dev, found.st_ino


def _alike(names: Sequence[str]) -> Iterator[str]:
    starts: dict[bytes, str] = {}
    for name in names if len(names) > 1 else ():
        start = _start(name)
        first = starts.setdefault(start, name) if start else name
        if first != name:
            yield f"{name!r} begins as {first!r} does: if it is the same log, leave one out"


def _start(name: str) -> bytes | None:
    """What stands for the first lines; None where they can't be read twice, or there are none."""
    if not Path(name).is_file():
        return None
    try:
        first = next(blocks(name, lambda octets: None, _START), None)
    except AIPolicyError:  # reading it will say what is wrong
        return None
    return first and hashlib.sha256(first[:_START]).digest()
