"""The changes of a registry, each with the site's state before it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from aipolicy.registry import Registry
from aipolicy.registry.schema import change

DELETED = "null"
"""The policy text of a change that deletes its site."""

_PAGE = 1000

_earlier, _past = change.alias("earlier"), change.alias("past")
# The index (site_id, at, seq) gives the previous change: times never fall as numbers rise.
_BEFORE = (
    select(_past.c.seq)
    .where(_past.c.site_id == change.c.site_id, _past.c.at <= change.c.at, _past.c.seq < change.c.seq)
    .order_by(_past.c.at.desc(), _past.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_ROWS = (
    select(
        change.c.seq,
        change.c.at,
        change.c.site_id,
        change.c.site,
        change.c.policy,
        change.c.hosts,
        _earlier.c.policy.label("policy_before"),
        _earlier.c.hosts.label("hosts_before"),
    )
    .join_from(change, _earlier, _earlier.c.seq == _BEFORE, isouter=True)
    .where(change.c.seq > bindparam("after"))
    .order_by(change.c.seq)
    .limit(bindparam("page"))
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a site, with its policy and hosts before and after.

    Policies are the registry's text without the site: equal text, equal policy. None: the site didn't exist,
    or was deleted.
    """

    seq: int
    at: int
    site_id: int
    site: str
    before: str | None
    after: str | None
    hosts_before: str
    hosts_after: str

    @property
    def hosts(self) -> list[str]:
        """The hosts after the change; those before it of a site that was deleted."""
        hosts: list[str] = json.loads(self.hosts_before if self.after is None else self.hosts_after)
        return hosts

    @property
    def hosts_changed(self) -> bool:
        """Return True if the change gave the site other hosts."""
        return self.hosts_before != self.hosts_after


def transitions(registry: Registry, after: int = 0, limit: int | None = None) -> Iterator[Transition]:
    """Yield the changes numbered above ``after``, in order, at most ``limit``."""
    while limit is None or limit > 0:
        page = _PAGE if limit is None else min(_PAGE, limit)
        with registry.database.reading() as connection:
            rows = connection.execute(_ROWS, {"after": after, "page": page}).all()
        for row in rows:
            yield Transition(
                row.seq,
                row.at,
                row.site_id,
                row.site,
                _exists(row.policy_before),
                _exists(row.policy),
                row.hosts_before or "[]",
                row.hosts,
            )
        if len(rows) < page:
            return
        after = rows[-1].seq
        limit = None if limit is None else limit - page


def _exists(policy: str | None) -> str | None:
    return None if policy == DELETED else policy
