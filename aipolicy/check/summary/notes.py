"""What a reader of the figures must know beside them, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aipolicy.check.reading import EMPTY, ReadFile

_NAMED = 3  # files, crawlers


def notes(document: Mapping[str, Any], files: Sequence[ReadFile], *, one_robots: bool) -> Iterator[str]:
    """Sentences; ``one_robots``: a single robots.txt was taken as that of every host."""
    empty = [file.file for file in files if file.format == EMPTY]
    if empty:
        yield f"{_some(list(map(repr, empty)))} {'is' if len(empty) == 1 else 'are'} empty"
    told = {note: file.file for file in reversed(files) for note in file.notes}
    for note, name in told.items():
        yield f"{name!r}: {note}"
    if unreadable := document["lines"]["unreadable"]:
        first = document["unreadable"][0]
        where = f"the first is line {first['line']} of {first['file']!r}"
        yield f"{unreadable} lines hold a crawler's name and can't be read; {where}"
    if one_robots and document["sites"] > 1:
        cure = "--site HOST checks one"
        hosts = document["sites"]
        yield f"the logs are of {hosts} hosts, and one robots.txt was taken as that of all: {cure}"
    if fetches := document["without_policy"]["fetches"]:
        sites = document["without_policy"]["sites"]
        yield f"no policy is known for {fetches} of the fetches, on {sites} hosts: they count as allowed"
    denied = {
        crawler["product_token"]: crawler["robots_txt"]["unavailable"]
        for crawler in document["crawlers"]
        if crawler["disallowed"] and crawler["robots_txt"]["unavailable"]
    }
    if denied:
        reads, whose = sum(denied.values()), _some(list(denied))
        yield (
            f"robots.txt was answered 4xx to {reads} reads by {whose}, after which RFC 9309 lets a "
            "crawler fetch anything: see that it is served to all"
        )
    total = document["total"]
    if failed := total["identity"]["check_failed"]:
        cure = "if a proxy stands in front, --forwarded takes the client's address from its column"
        whose = "1 fetch" if failed == 1 else f"{failed} fetches"
        yield f"the address of {whose} is private, masked or unreadable, or DNS failed: {cure}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
