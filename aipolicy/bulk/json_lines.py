"""JSON Lines files of sites: one object per line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from aipolicy.bulk.rows import PolicyCache, Row, SiteRow, canonical_hosts, canonical_site
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import strings
from aipolicy.errors import AIPolicyError, PolicyError

DECLARATIONS = ("preferences", "preset", "opted_out", "visibility")
"""The fields of which an imported object must have one: what it leaves out is reset."""


def read_jsonl(lines: Iterable[str]) -> Iterator[Row]:
    """Read objects like ``SitePolicy.to_dict()``, or ``{"host": "blog.example", "opted_out": true}``.

    Both may have ``hosts``, all further hosts of the site. Blank lines are left out.
    """
    policies = PolicyCache()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, site_row(json_object(line), policies)
            except AIPolicyError as error:
                yield number, error


def json_object(line: str) -> dict[str, Any]:
    """Parse a line as a JSON object. Raises PolicyError."""
    try:
        found = json.loads(line, object_pairs_hook=_without_repeats)
    except PolicyError:
        raise
    except (ValueError, RecursionError) as error:  # a number of 5000 digits can't be an int
        raise PolicyError(f"the line is not JSON ({error}): write one object per line") from None
    if not isinstance(found, dict):
        raise PolicyError(f"the line is {found!r}: use an object, like {{'host': 'blog.example', ...}}")
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PolicyError(f"the object has {twice!r} twice: keep one")
    return found


def pop_hosts(item: dict[str, Any]) -> tuple[str, frozenset[str] | None]:
    """Remove the site and its further hosts from an object and return them; None if it has no ``hosts``.

    Raises PolicyError, HostError.
    """
    if "host" in item and "site" in item:
        raise PolicyError("the object has both 'host' and 'site': keep one")
    site = canonical_site(item.pop("host", None) or item.pop("site", None))
    return site, canonical_hosts(strings("hosts", item.pop("hosts"))) if "hosts" in item else None


def site_row(
    item: dict[str, Any], policies: PolicyCache, declarations: tuple[str, ...] = DECLARATIONS
) -> SiteRow:
    """Parse an object with at least one of the fields ``declarations``. Raises PolicyError, HostError."""
    if not any(name in item for name in declarations):
        raise PolicyError(f"the object declares nothing: add one of {', '.join(declarations)}")
    site, hosts = pop_hosts(item)
    spelling = repr(item)
    return SiteRow(site, policies.get(spelling, len(spelling), lambda: _policy(item)), hosts)


def _policy(item: dict[str, Any]) -> SitePolicy:
    opted_out = _flag(item.pop("opted_out")) if "opted_out" in item else None
    if opted_out is not None and not {"preferences", "preset"} & set(item):
        item["preferences"] = SitePolicy.from_flag(opted_out).to_dict()["preferences"]
        opted_out = opted_out or None  # False declares nothing, and a visibility may imply an opt-out
    SitePolicy(licensed=item.get("licensed", ()))  # raises for unknown tokens, which from_dict would ignore
    policy = SitePolicy.from_dict(item)
    if opted_out not in (None, policy.opted_out):
        raise PolicyError(f"opted_out is {opted_out!r} and contradicts the other fields: leave it out")
    return policy


def _flag(value: Any) -> bool:
    """Return the opt-out. Raises PolicyError, also for null, which exports write for an unknown value."""
    if not isinstance(value, bool):
        raise PolicyError(f"opted_out is {value!r}: use true or false")
    return value
