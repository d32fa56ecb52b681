"""One change of a site's policy, and how it is written down."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import PolicyError, RegistryError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SAID = tuple(name for name in SitePolicy.__slots__ if name != "site")
_REMEMBERED = 1000  # distinct policies; most sites have one of a handful
_LONGEST = 4096  # characters


@dataclass(frozen=True, slots=True)
class Change:
    """What a site has declared since ``at``, who said so, and on which hosts.

    ``seq`` counts the registry's changes from 1 without a gap. ``at`` is in UTC, to the microsecond, and
    never falls as ``seq`` rises. ``hosts`` has the site's own name first, then the others by name.
    """

    seq: int
    at: datetime
    by: str
    site: str
    policy: SitePolicy
    hosts: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON form; ``at`` is ISO 8601 in UTC with microseconds and ``Z``, the site is in ``policy``."""
        return {
            "seq": self.seq,
            "at": self.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "by": self.by,
            "hosts": list(self.hosts),
            "policy": self.policy.to_dict(),
        }

    @classmethod
    def from_row(cls, row: Row[Any]) -> "Change":
        """Read a row of the table ``change``. Raises RegistryError."""
        policy = read_policy(row.policy, row.site)
        return cls(row.seq, moment(row.at), row.actor, row.site, policy, tuple(json.loads(row.hosts)))


@dataclass(frozen=True, slots=True)
class InForce:
    """What was in force on a host from ``at`` on; no policy: the host was nobody's any more.

    ``seq`` is the number of the change that brought it about.
    """

    at: datetime
    seq: int
    policy: SitePolicy | None


def policy_text(policy: SitePolicy) -> str:
    """What a policy declares, whatever the site: equal text if and only if it is the same."""
    said = policy.to_dict()
    del said["site"], said["preset"]  # the column beside it, and a name for the preferences
    return _compact(said)


class PolicyTexts:
    """``policy_text``, written once for all the policies that differ in their site only."""

    def __init__(self) -> None:
        self._known: Memo[tuple[object, ...], str] = Memo(_REMEMBERED)

    def of(self, policy: SitePolicy) -> str:
        key = tuple(getattr(policy, name) for name in _SAID)
        try:
            return self._known[key]
        except KeyError:
            text = policy_text(policy)
            return self._known.keep(key, text) if len(text) <= _LONGEST else text


def read_policy(text: str, site: str) -> SitePolicy:
    """The policy that was written as ``text``. Raises RegistryError where this version can't read it."""
    try:
        return SitePolicy.from_dict({**json.loads(text), "site": site})
    except (PolicyError, ValueError, TypeError) as error:
        fix = "a newer aipolicy may have written it: upgrade this one"
        raise RegistryError(f"the policy of {site!r} can't be read ({error}): {fix}") from error


def hosts_text(site: str, hosts: Iterable[str]) -> str:
    """The hosts of a site, canonical, as a JSON array, its own name first."""
    others = sorted(set(hosts) - {site}) if hosts else ()
    return '["' + '","'.join((site, *others)) + '"]'  # a canonical host has no character that JSON escapes


def hosts_of_text(text: str) -> list[str]:
    """The inverse of ``hosts_text``."""
    return text[2:-2].split('","')


def microseconds(when: datetime) -> int:
    """Microseconds since the epoch. Raises RegistryError for a time without a time zone."""
    if when.utcoffset() is None:
        fix = "give one with a time zone, like datetime.now(UTC)"
        raise RegistryError(f"{when!r} could be any of many moments: {fix}")
    return (when - _EPOCH) // _MICROSECOND


def moment(microseconds_since_epoch: int) -> datetime:
    """The inverse of ``microseconds``, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds_since_epoch)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
