"""What was in force on a host, at a moment or ever, in one question."""

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select

from aipolicy.registry.changes import InForce, moment, read_policy
from aipolicy.registry.schema import change, host_history

_OWNER_THEN = (
    select(host_history.c.site_id)
    .where(host_history.c.host == bindparam("host"), host_history.c.at <= bindparam("when"))
    .order_by(host_history.c.at.desc(), host_history.c.seq.desc())
    .limit(1)
)
THEN = (
    select(change)
    .where(change.c.site_id == _OWNER_THEN.scalar_subquery(), change.c.at <= bindparam("when"))
    .order_by(change.c.at.desc(), change.c.seq.desc())
    .limit(1)
)
"""The change that was in force on ``:host`` at ``:when``, in microseconds since the epoch."""

_OWNERS = select(host_history.c.site_id).where(
    host_history.c.host == bindparam("host"), host_history.c.site_id.is_not(None)
)
# Every change of every site that ever had the host, and with those that gave or took it, whose it was then.
_CHANGES = (
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


def timeline(connection: Connection, host: str) -> list[InForce]:
    """What was in force on ``host`` (canonical), oldest first, each at another time."""
    found: dict[datetime, InForce] = {}  # of several changes in one microsecond the last
    owner = None
    for row in connection.execute(_CHANGES, {"host": host}).all():
        if row.moved:
            owner = row.owner
        elif row.site_id != owner:
            continue
        at = moment(row.at)
        found[at] = InForce(at, row.seq, None if owner is None else read_policy(row.policy, row.site))
    return list(found.values())
