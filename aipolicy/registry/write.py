"""One put: what would change, whether it may, and the change with its number, in one transaction."""

import json
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import HostTakenError
from aipolicy.registry.changes import Change, hosts_text, moment, policy_text
from aipolicy.registry.clock import Times
from aipolicy.registry.schema import change, host, host_history, sequence, site

# Built once: what SQLAlchemy needs to find their compiled form again is kept in them.
LATEST = (
    select(change)
    .join_from(host, site, host.c.site_id == site.c.id)
    .join(change, change.c.seq == site.c.seq)
    .where(host.c.host == bindparam("host"))
)
"""The latest change of the site that has ``:host``."""

# SQLite's transaction has the lock from its beginning; elsewhere this row is the lock, so that numbers are
# in the order of the commits.
_LAST_SEQ = select(sequence.c.seq).with_for_update()
_OWNER = select(site.c.name).join_from(host, site).where(host.c.host == bindparam("host"))
COUNT = update(sequence)
_NEW_SITE = insert(site)
SITE = update(site).where(site.c.id == bindparam("site_id"))
GIVE = insert(host)
TAKE = delete(host).where(host.c.host == bindparam("taken"))
MOVE = insert(host_history)
CHANGE = insert(change)


def put(
    connection: Connection,
    policy: SitePolicy,
    *,
    by: str,
    hosts: frozenset[str] | None,
    times: Times,
) -> Change:
    """Make ``policy`` its site's policy, from now on and on ``hosts`` (None: on those it has).

    ``connection`` is in a transaction of its own; ``hosts`` are canonical. Raises HostTakenError.
    """
    name = policy.site
    last = last_seq(connection)
    latest = _latest(connection, name)
    before = frozenset(json.loads(latest.hosts)) if latest else frozenset()
    after = (before if hosts is None else hosts) | {name}
    text = policy_text(policy)
    if latest and latest.policy == text and before == after:
        return Change.from_row(latest)
    for added in sorted(after - before):
        refuse_taken(added, connection.execute(_OWNER, {"host": added}).scalar(), name)

    seq = last + 1
    at = times.after(connection, last)
    connection.execute(COUNT, {"seq": seq})
    if latest:
        site_id = latest.site_id
        connection.execute(SITE, {"site_id": site_id, "policy": text, "seq": seq})
    else:
        new = {"name": name, "policy": text, "seq": seq}
        site_id = connection.execute(_NEW_SITE, new).inserted_primary_key[0]  # type: ignore[index]
    _move(connection, sorted(before - after), sorted(after - before), at=at, seq=seq, site_id=site_id)
    written = {
        "seq": seq,
        "at": at,
        "actor": by,
        "site_id": site_id,
        "site": name,
        "policy": text,
        "hosts": hosts_text(name, after),
        "affected": hosts_text(name, before | after),
    }
    connection.execute(CHANGE, written)
    return Change(seq, moment(at), by, name, policy, tuple(json.loads(written["hosts"])))


def last_seq(connection: Connection) -> int:
    """The last number given; from here on nobody else gives one."""
    seq: int = connection.execute(_LAST_SEQ).scalar_one()
    return seq


def refuse_to_be_a_site(name: str, owner: str) -> None:
    """Raises HostTakenError where ``name`` is a further host of the site ``owner``."""
    if owner != name:
        fix = f"put the policy of {owner!r}, or first put that site with hosts that leave it out"
        raise HostTakenError(f"{name!r} can't be a site: it is a host of {owner!r}: {fix}")


def refuse_taken(wanted: str, owner: str | None, name: str) -> None:
    """Raises HostTakenError where ``wanted``, which the site ``owner`` has, can't be a host of ``name``."""
    if owner == wanted:
        fix = "it is a site by itself and stays one: leave it out"
        raise HostTakenError(f"{wanted!r} can't be a host of {name!r}: {fix}")
    if owner:
        fix = "first put that site with hosts that leave it out"
        raise HostTakenError(f"{wanted!r} can't be a host of {name!r}: {owner!r} has it: {fix}")


def _latest(connection: Connection, name: str) -> Row[Any] | None:
    latest = connection.execute(LATEST, {"host": name}).first()
    if latest:
        refuse_to_be_a_site(name, latest.site)
    return latest


def _move(
    connection: Connection, removed: list[str], added: list[str], *, at: int, seq: int, site_id: int
) -> None:
    if removed:
        connection.execute(TAKE, [{"taken": name} for name in removed])
    if added:
        connection.execute(GIVE, [{"host": name, "site_id": site_id} for name in added])
    owners = dict.fromkeys(removed) | dict.fromkeys(added, site_id)
    if owners:
        moves = [{"host": name, "at": at, "seq": seq, "site_id": owner} for name, owner in owners.items()]
        connection.execute(MOVE, moves)
