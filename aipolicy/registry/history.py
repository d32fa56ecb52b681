"""Queries on the history: the policies of a host over time, the changes after a checkpoint, completeness."""

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select

from aipolicy.core.checkpoint import Checkpoint
from aipolicy.errors import HistoryError, RegistryError
from aipolicy.registry.changes import InForce, policy_from_text
from aipolicy.registry.database import Database
from aipolicy.registry.schema import change, host, host_history, site
from aipolicy.times import from_microseconds

_OWNER_AT = (
    select(host_history.c.site_id)
    .where(host_history.c.host == bindparam("host"), host_history.c.at <= bindparam("when"))
    .order_by(host_history.c.at.desc(), host_history.c.seq.desc())
    .limit(1)
)
CHANGE_AT = (
    select(change)
    .where(change.c.site_id == _OWNER_AT.scalar_subquery(), change.c.at <= bindparam("when"))
    .order_by(change.c.at.desc(), change.c.seq.desc())
    .limit(1)
)
"""The change that was in force on ``:host`` at ``:when``, in microseconds since the epoch."""

_OWNERS = select(host_history.c.site_id).where(
    host_history.c.host == bindparam("host"), host_history.c.site_id.is_not(None)
)
# Every change of every site that ever had the host; and for those that moved the host, its owner afterwards.
_TIMELINE = (
    select(
        change.c.at,
        change.c.seq,
        change.c.site_id,
        change.c.site,
        change.c.policy,
        host_history.c.seq.is_not(None).label("moved"),
        host_history.c.site_id.label("owner"),
    )
    .join_from(
        change,
        host_history,
        and_(host_history.c.host == bindparam("host"), host_history.c.seq == change.c.seq),
        isouter=True,
    )
    .where(change.c.site_id.in_(_OWNERS))
    .order_by(change.c.seq)
)

# One statement, which sees one state of the registry. All columns of a change tell whether it is still the
# same one, but may be large: they are read for the first and the last change only.
_PAGE = (
    select(change.c.seq)
    .where(change.c.seq >= bindparam("seq"))
    .order_by(change.c.seq)
    .limit(bindparam("page"))
    .subquery()
)
_IS_FIRST_OR_LAST = or_(
    change.c.seq == bindparam("seq"), change.c.seq == select(func.max(_PAGE.c.seq)).scalar_subquery()
)
_CHANGES_FROM = (
    select(
        change.c.seq,
        *(case((_IS_FIRST_OR_LAST, column)) for column in change.c[1:-1]),
        change.c.affected,
        and_(site.c.id.is_not(None), host.c.host.is_not(None)).label("has_site"),
    )
    .join_from(change, _PAGE, _PAGE.c.seq == change.c.seq)
    .join(site, site.c.id == change.c.site_id, isouter=True)
    .join(host, and_(host.c.host == change.c.site, host.c.site_id == change.c.site_id), isouter=True)
    .order_by(change.c.seq)
)

# The schema promises: numbers without a gap; a site for each change; each site's own name among its hosts; a
# history for each host. Rows are counted, because a search for the first missing one would scan tables that
# have no index yet.
IS_COMPLETE = """SELECT seq = count AND seq = last AND count = with_site
    AND (SELECT count(*) FROM site) <= (SELECT count(*) FROM host)
    AND (SELECT count(*) FROM host) <= (SELECT count(*) FROM host_history)
    FROM sequence, (
        SELECT count(*) AS count, coalesce(max(change.seq), 0) AS last, count(site.id) AS with_site
        FROM change LEFT JOIN site ON site.id = change.site_id) AS changes"""
"""A query that is true if no rows are missing. It reads all keys, in 5 % of the time to fill a replica.

A restore of pg_dump's output commits the tables one by one, by name: ``change`` is complete while ``site`` is
still empty. A reader that took this for the complete registry would never read it again.
"""


def incomplete(name: str) -> RegistryError:
    """Return the error for a registry with missing rows."""
    fix = "if it is being restored, wait until that is done; otherwise restore it from a backup"
    return RegistryError(f"registry '{name}' is incomplete: {fix}")


def timeline(connection: Connection, host: str) -> list[InForce]:
    """Return the policies of ``host`` (canonical) over time, oldest first, one for each time."""
    found: dict[datetime, InForce] = {}  # of several changes in one microsecond, the last
    owner = None
    for row in connection.execute(_TIMELINE, {"host": host}).all():
        if row.moved:
            owner = row.owner
        elif row.site_id != owner:
            continue
        at = from_microseconds(row.at)
        policy = None if owner is None else policy_from_text(row.policy, row.site)
        found[at] = InForce(at, row.seq, policy)
    return list(found.values())


def affected_hosts(database: Database, after: Checkpoint, page: int) -> Iterator[tuple[Checkpoint, set[str]]]:
    """Yield the changes after ``after``, at most ``page`` at a time: see ``Registry.affected``."""
    while True:
        with database.reading() as connection:
            rows = connection.execute(_CHANGES_FROM, {"seq": after.seq, "page": page}).all()
        changes = after.changes_after([row[:-1] for row in rows])
        if changes is None:
            fix = "read everything again"
            raise HistoryError(f"change {after.seq} of the registry is missing or different: {fix}")
        if not changes:
            return
        if not all(row.has_site for row in rows):
            raise incomplete(database.name)
        after = Checkpoint.from_row(changes[-1])
        yield after, {name for *_, affected in changes for name in json.loads(affected)}
