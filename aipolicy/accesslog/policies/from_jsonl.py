"""Policies with their history in JSON Lines: one version a line, any number a site, in any order."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aipolicy.accesslog.policies.host_ownership import Stated, timelines
from aipolicy.accesslog.policies.rendering import Renderings
from aipolicy.accesslog.policies.versions import ALWAYS, FilePolicies, Version
from aipolicy.bulk.json_lines import json_object, pop_hosts, site_row
from aipolicy.bulk.rows import PolicyCache
from aipolicy.core.paths import octets
from aipolicy.errors import AIPolicyError, PolicyError
from aipolicy.times import to_microseconds


def policies_from_jsonl(lines: Iterable[str], *, source: str = "policies") -> FilePolicies:
    """Read versions like ``{"site": "a.example", "at": "2026-10-01T00:00:00Z", "preset": "no-training"}``.

    All that ``SitePolicy.from_dict`` reads may stand there, or ``opted_out``; or ``robots_txt`` alone, the
    text of the file. ``hosts`` are all of the site's further ones from then on (absent: those it had). A
    version without ``at`` always was in force, and of two with one ``at`` the later line holds. A log without
    hosts is the site's where there is one site only. Raises PolicyError that names the line.
    """
    renderings, policies, texts = Renderings(), PolicyCache(), dict[bytes, bytes]()
    sites: dict[str, list[Stated]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                site, at, robots, hosts = _read(json_object(line), renderings, policies)
            except AIPolicyError as error:
                raise PolicyError(f"line {number}: {error}") from error
            version = Version(at, f"line {number}", texts.setdefault(robots, robots), site)
            sites.setdefault(site, []).append(Stated(number, version, hosts))
    if not sites:
        fix = "write one version a line, like {'site': 'blog.example', 'preset': 'no-training'}"
        raise PolicyError(f"{source} has no policy: {fix}")
    found = timelines(sites)
    return FilePolicies(source, found, hostless=found[next(iter(sites))] if len(sites) == 1 else None)


def _read(
    given: dict[str, Any], renderings: Renderings, policies: PolicyCache
) -> tuple[str, int, bytes, frozenset[str] | None]:
    at = _time(given.pop("at")) if "at" in given else ALWAYS
    if "robots_txt" not in given:
        entry = site_row(given, policies)
        return entry.site, at, renderings.of(entry.policy), entry.hosts
    text = given.pop("robots_txt")
    if not isinstance(text, str):
        raise PolicyError(f"robots_txt is {text!r}: give the text of the file")
    site, hosts = pop_hosts(given)
    if given:
        fix = "it is the whole file: leave out one of the two"
        raise PolicyError(f"the object has robots_txt and {next(iter(given))!r}: {fix}")
    return site, at, octets(text), hosts


def _time(text: Any) -> int:
    """Microseconds since the epoch."""
    fix = "write it like '2026-10-01T12:00:00Z'"
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise PolicyError(f"at is {text!r}, which is no time: {fix}") from None
    if when.utcoffset() is None:
        raise PolicyError(f"at is {text!r}, which has no time zone and could be many moments: {fix}")
    return to_microseconds(when)
