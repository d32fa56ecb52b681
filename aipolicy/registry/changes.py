"""A change of a site's policy, and the text form in which its policy and hosts are stored."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import PolicyError, RegistryError
from aipolicy.times import from_microseconds, iso, to_microseconds

_FIELDS = tuple(name for name in SitePolicy.__slots__ if name != "site")
_CACHED = 1000  # distinct policies; most sites have one of a handful
_LONGEST = 4096  # characters of a cached text


@dataclass(frozen=True, slots=True)
class Change:
    """A change of what a site declares.

    Attributes:
        seq: Number of the change; numbers begin at 1 and have no gap.
        at: Time in UTC, to the microsecond; it never decreases as ``seq`` increases.
        by: Author.
        hosts: All hosts of the site after the change: its own name, then the others sorted.
    """

    seq: int
    at: datetime
    by: str
    site: str
    policy: SitePolicy
    hosts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return its JSON form; ``at`` is in ISO 8601, and the site is in ``policy``."""
        return {
            "seq": self.seq,
            "at": iso(self.at, "microseconds"),
            "by": self.by,
            "hosts": list(self.hosts),
            "policy": self.policy.to_dict(),
        }

    @classmethod
    def from_row(cls, row: Row[Any]) -> "Change":
        """Read a row of the table ``change``. Raises RegistryError."""
        policy, hosts = policy_from_text(row.policy, row.site), tuple(json.loads(row.hosts))
        return cls(row.seq, from_microseconds(row.at), row.actor, row.site, policy, hosts)


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy of a host from ``at`` on, by change number ``seq``; None if no site has the host then."""

    at: datetime
    seq: int
    policy: SitePolicy | None


def policy_text(policy: SitePolicy) -> str:
    """Return a policy without its site as JSON: texts are equal if and only if the policies are."""
    fields = policy.to_dict()
    del fields["site"], fields["preset"]  # a column of its own, and a name for the preferences
    return json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


class PolicyTexts:
    """``policy_text`` with a cache for policies that differ in their site only."""

    def __init__(self) -> None:
        self._known: BoundedCache[tuple[object, ...], str] = BoundedCache(_CACHED)

    def text_of(self, policy: SitePolicy) -> str:
        """Return the policy's text."""
        key = tuple(getattr(policy, name) for name in _FIELDS)
        try:
            return self._known[key]
        except KeyError:
            text = policy_text(policy)
            return self._known.keep(key, text) if len(text) <= _LONGEST else text


def policy_from_text(text: str, site: str) -> SitePolicy:
    """Return the policy of ``site`` that was stored as ``text``. Raises RegistryError."""
    try:
        return SitePolicy.from_dict({**json.loads(text), "site": site})
    except (PolicyError, ValueError, TypeError) as error:
        fix = "upgrade aipolicy if a newer version wrote it"
        raise RegistryError(f"the policy of {site!r} can't be read ({error}): {fix}") from error


def hosts_text(site: str, hosts: Iterable[str]) -> str:
    """Return the canonical hosts of a site as a JSON array, its own name first."""
    others = sorted(set(hosts) - {site}) if hosts else ()
    return '["' + '","'.join((site, *others)) + '"]'  # a canonical host has no character that JSON escapes


def hosts_from_text(text: str) -> list[str]:
    """Return the hosts that ``hosts_text`` wrote."""
    return text[2:-2].split('","')


def microseconds(when: datetime) -> int:
    """Return microseconds since the epoch. Raises RegistryError for a time without a time zone."""
    if when.utcoffset() is None:
        fix = "add one, like datetime.now(UTC)"
        raise RegistryError(f"{when!r} has no time zone: {fix}")
    return to_microseconds(when)
