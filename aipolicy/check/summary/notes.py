"""What a reader of the figures must know beside them, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aipolicy.check.reading import EMPTY, ReadFile

_NAMED = 3  # files


def notes(document: Mapping[str, Any], files: Sequence[ReadFile], *, one_robots: bool) -> Iterator[str]:
    """Sentences; ``one_robots``: a single robots.txt was taken as that of every host."""
    empty = [file.file for file in files if file.format == EMPTY]
    if empty:
        more = f" and {len(empty) - _NAMED} more" if len(empty) > _NAMED else ""
        verb = "is" if len(empty) == 1 else "are"
        yield f"{', '.join(map(repr, empty[:_NAMED]))}{more} {verb} empty"
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
    for crawler in [c for c in document["crawlers"] if c["disallowed"] and c["robots_txt"]["unavailable"]]:
        reads, denied = crawler["robots_txt_reads"], crawler["robots_txt"]["unavailable"]
        yield (
            f"{denied} of {reads} reads of robots.txt by {crawler['product_token']} were answered 4xx, after "
            "which RFC 9309 lets it fetch anything: see that robots.txt is served to it"
        )
    total = document["total"]
    if failed := total["identity"]["check_failed"]:
        cure = "if a proxy stands in front, --forwarded takes the client's address from its column"
        yield f"the address of {failed} fetches is private, masked or unreadable, or DNS failed: {cure}"
