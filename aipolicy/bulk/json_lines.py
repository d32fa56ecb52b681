"""Sites in JSON Lines: an object a line."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from aipolicy.bulk.rows import Entry, Policies, Row, hosts_of, site_of
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import strings
from aipolicy.errors import AIPolicyError, PolicyError

_SAYS = ("preferences", "preset", "opted_out", "visibility")


def read_jsonl(lines: Iterable[str]) -> Iterator[Row]:
    """Read objects like ``SitePolicy.to_dict()``, or ``{"host": "blog.example", "opted_out": true}``.

    Both may have ``hosts``, all of the site's further ones. Blank lines are left out.
    """
    policies = Policies()
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, entry_of(json_object(line), policies)
            except AIPolicyError as error:
                yield number, error


def json_object(line: str) -> dict[str, Any]:
    """The object that a line is. Raises PolicyError."""
    try:
        found = json.loads(line, object_pairs_hook=_without_repeats)
    except PolicyError:
        raise
    except (ValueError, RecursionError) as error:  # JSON or not: a number of 5000 digits is no int
        raise PolicyError(f"the line is not JSON ({error}): write one object a line") from None
    if not isinstance(found, dict):
        raise PolicyError(f"the line is {found!r}: write an object, like {{'host': 'blog.example', ...}}")
    return found


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PolicyError(f"the object has {twice!r} twice: keep one")
    return found


def names_of(given: dict[str, Any]) -> tuple[str, frozenset[str] | None]:
    """Take the site and all of its further hosts (None: not stated) out of ``given``.

    Raises PolicyError, HostError.
    """
    if "host" in given and "site" in given:
        raise PolicyError("the object has both 'host' and 'site': keep one")
    site = site_of(given.pop("host", None) or given.pop("site", None))
    return site, hosts_of(strings("hosts", given.pop("hosts"))) if "hosts" in given else None


def entry_of(given: dict[str, Any], policies: Policies) -> Entry:
    """What an object declares. Raises PolicyError, HostError."""
    if not any(name in given for name in _SAYS):
        raise PolicyError(f"the object says nothing: give one of {', '.join(_SAYS)}")
    site, hosts = names_of(given)
    written = repr(given)
    return Entry(site, policies.of(written, len(written), lambda: _policy(given)), hosts)


def _policy(given: dict[str, Any]) -> SitePolicy:
    opted_out = _flag(given.pop("opted_out")) if "opted_out" in given else None
    if opted_out is not None and not {"preferences", "preset"} & set(given):
        given["preferences"] = SitePolicy.from_flag(opted_out).to_dict()["preferences"]
        opted_out = opted_out or None  # False says nothing, and a visibility may say more
    SitePolicy(licensed=given.get("licensed", ()))  # from_dict leaves out what is unknown: here it is told
    policy = SitePolicy.from_dict(given)
    if opted_out not in (None, policy.opted_out):
        raise PolicyError(f"opted_out is {opted_out!r} and the rest says otherwise: leave it out")
    return policy


def _flag(value: Any) -> bool:
    """The owner's opt-out. Raises PolicyError: null, as exports write what they don't know, is no choice."""
    if not isinstance(value, bool):
        raise PolicyError(f"opted_out is {value!r}: write true or false")
    return value
