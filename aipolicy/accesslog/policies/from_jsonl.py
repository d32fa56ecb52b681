"""Policies with their history in JSON Lines: one version per line, in any order."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aipolicy.accesslog.policies.host_ownership import SiteVersion, timelines
from aipolicy.accesslog.policies.rendered_policies import RenderedPolicies
from aipolicy.accesslog.policies.versions import ALWAYS, FilePolicies, Version
from aipolicy.bulk.json_lines import DECLARATIONS, json_object, pop_hosts, site_row
from aipolicy.bulk.rows import PolicyCache
from aipolicy.core.paths import to_bytes
from aipolicy.errors import AIPolicyError, PolicyError
from aipolicy.times import to_microseconds


def policies_from_jsonl(lines: Iterable[str], *, source: str = "policies") -> FilePolicies:
    """Read versions like ``{"site": "a.example", "at": "2026-10-01T00:00:00Z", "preset": "no-training"}``.

    A line has the fields of ``SitePolicy.from_dict``, or ``opted_out``, or only ``robots_txt``, the text of
    the file. ``hosts`` are all further hosts of the site from then on; without it the site keeps its own.
    A version without ``at`` was always in force; of two versions with one ``at`` the later line is used. If
    there is only one site, a log without hosts is this site's.

    Raises:
        PolicyError: a line is invalid; the message has its number.
    """
    renderings, policies, texts = RenderedPolicies(), PolicyCache(), dict[bytes, bytes]()
    sites: dict[str, list[SiteVersion]] = {}
    rendered = False
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                fields = json_object(line)
                rendered |= "robots_txt" not in fields
                site, at, robots, hosts = _read(fields, renderings, policies)
            except AIPolicyError as error:
                raise PolicyError(f"line {number}: {error}") from error
            version = Version(at, f"line {number}", texts.setdefault(robots, robots), site)
            sites.setdefault(site, []).append(SiteVersion(number, version, hosts))
    if not sites:
        fix = "write one version per line, like {'site': 'blog.example', 'preset': 'no-training'}"
        raise PolicyError(f"{source} has no policy; {fix}")
    found = timelines(sites)
    hostless = found[next(iter(sites))] if len(sites) == 1 else None
    return FilePolicies(source, found, hostless=hostless, rendered=rendered)


def _read(
    fields: dict[str, Any], renderings: RenderedPolicies, policies: PolicyCache
) -> tuple[str, int, bytes, frozenset[str] | None]:
    at = _time(fields.pop("at")) if "at" in fields else ALWAYS
    if "robots_txt" not in fields:
        entry = site_row(fields, policies, (*DECLARATIONS, "path_preferences"))
        return entry.site, at, renderings.of(entry.policy), entry.hosts
    text = fields.pop("robots_txt")
    if not isinstance(text, str):
        raise PolicyError(f"robots_txt is {text!r}; use the text of the file")
    site, hosts = pop_hosts(fields)
    if fields:
        fix = "robots_txt is the whole file; leave one of the two out"
        raise PolicyError(f"the object has robots_txt and {next(iter(fields))!r}: {fix}")
    return site, at, to_bytes(text), hosts


def _time(text: Any) -> int:
    """Return microseconds since the epoch."""
    fix = "use a time like '2026-10-01T12:00:00Z'"
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise PolicyError(f"at is {text!r}, which is not a valid time; {fix}") from None
    if when.utcoffset() is None:
        raise PolicyError(f"at is {text!r}, which has no time zone; {fix}")
    return to_microseconds(when)
