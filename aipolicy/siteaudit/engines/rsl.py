"""RSL: where the licence is named. What it says isn't fetched: it speaks in a language of its own."""

import re
from dataclasses import dataclass

from aipolicy.robotstxt.parser import Record
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.statements import Carrier, Place

_TYPE = "application/rsl+xml"
_LINK = re.compile(r"<([^<>]{0,2000})>([^<>]{0,500})")  # the target, and its parameters up to the next
_MOST = 20


@dataclass(frozen=True, slots=True)
class Licence:
    """One reference to a licence."""

    url: str
    place: Place


def licences(reading: Reading) -> tuple[Licence, ...]:
    """``License:`` lines of robots.txt, wherever they stand; Link headers and link tags of RSL's type."""
    robots = reading.file.robots
    records = [*robots.preamble, *(record for group in robots.groups for record in group.records)]
    found = [
        Licence(record.value, Place(Carrier.ROBOTS, record.line, f"{record.name}: {record.value}"))
        for record in records
        if isinstance(record, Record) and record.named("License")
    ]
    for value, place in reading.page.headers("Link"):
        for url, parameters in _LINK.findall(value):
            bare = parameters.lower().replace('"', "").replace(" ", "")
            if "rel=license" in bare and f"type={_TYPE}" in bare:
                found.append(Licence(url.strip(" \t"), place))
    found += [
        Licence(tag.content, Place(Carrier.META, 0, str(tag), "link"))
        for tag in reading.page.answer.markup.tags
        if tag.kind == "link" and tag.type == _TYPE
    ]
    return tuple(found[:_MOST])
