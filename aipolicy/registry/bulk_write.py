"""Many puts in one transaction: what one put after the other would do, with a few statements a chunk.

Nearly always the database itself can tell what a chunk's puts change (see ``staging``). Where they move hosts
from site to site, what they speak of is read at once; the puts are then thought through in memory, in their
order; and what came of them is written at once. From one chunk to the next only numbers are kept.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select

from aipolicy.errors import HostTakenError
from aipolicy.registry import postgres, write
from aipolicy.registry.changes import hosts_text
from aipolicy.registry.clock import Times
from aipolicy.registry.schema import change, host, host_history, site
from aipolicy.registry.staging import Counts, Put, Staging, further

Refused = Callable[[Put, HostTakenError], None]
"""Told of a put that can't be made; it may raise, which undoes all of them."""

_CHUNK = 10_000  # names: some megabytes
_VALUES = 1000  # in one statement: databases limit them

_SITES_OF = (
    select(change.c.site_id, change.c.site, change.c.policy, change.c.hosts)
    .join_from(site, change, change.c.seq == site.c.seq)
    .where(
        # A site comes once, however many of its hosts are asked for.
        site.c.id.in_(select(host.c.site_id).where(host.c.host.in_(bindparam("names", expanding=True))))
    )
)
_NEW_SITES = insert(site).returning(site.c.id, site.c.name)


@dataclass(slots=True, eq=False)
class _Site:
    """A site as it is after the puts so far. ``id`` is 0 until it is written."""

    id: int
    name: str
    policy: str
    hosts: frozenset[str]
    seq: int = 0


def put_many(
    connection: Connection, puts: Iterable[Put], *, by: str, times: Times, refused: Refused
) -> Iterator[Counts]:
    """Put each, and say after each chunk what that made.

    ``connection`` is in a transaction of its own. Every change has the time at which the first is made: no
    moment of the past sees some of them only. Where a host is taken, ``refused`` is told instead.
    """
    last = write.last_seq(connection)
    at = times.after(connection, last)
    staging = Staging(connection)
    for chunk in _chunks(puts):
        names = _mentioned(chunk)
        unchanged = 0
        if len(set(names)) == len(names):
            staging.fill(chunk)
            pending = staging.sort_out(last)
            unchanged = len(chunk) - pending.new - pending.changed
            if not pending.tricky:
                if unchanged < len(chunk):
                    last += pending.new + pending.changed
                    connection.execute(write.COUNT, {"seq": last})
                    staging.write(pending, at=at, by=by)
                yield Counts(pending.new, pending.changed, unchanged)
                continue
            chunk = [chunk[place] for place in staging.pending()]
            names = _mentioned(chunk)
        puts_of_it = _Chunk(connection, sorted(set(names)), by=by, at=at, last=last)
        left_out = 0
        for put in chunk:
            try:
                puts_of_it.put(put)
            except HostTakenError as error:  # it left no trace
                refused(put, error)
                left_out += 1
        puts_of_it.write()
        new, changed = puts_of_it.new, puts_of_it.last - last - puts_of_it.new
        yield Counts(new, changed, unchanged + len(chunk) - left_out - new - changed)
        last = puts_of_it.last


class _Chunk:
    """The sites and hosts that some puts speak of, and what the puts change in them."""

    def __init__(self, connection: Connection, names: list[str], *, by: str, at: int, last: int) -> None:
        self._connection = connection
        self._by, self._at = by, at
        self.last, self.new = last, 0
        self._owners = _owners(connection, names)
        self._owners_before: dict[str, _Site | None] = {}  # of the hosts that were moved
        self._put: dict[str, _Site] = {}
        self._moves: list[tuple[str, int, _Site | None]] = []
        self._changes: list[tuple[_Site, dict[str, Any]]] = []

    def put(self, put: Put) -> None:
        """See ``putting.put``: this is the same, step by step. Raises HostTakenError."""
        name, text = put.site, put.policy
        current = self._owners.get(name)
        if current:
            write.refuse_to_be_a_site(name, current.name)
        before = current.hosts if current else frozenset()
        after = (before if put.hosts is None else frozenset(further(put))) | {name}
        if current and current.policy == text and before == after:
            return
        for added in sorted(after - before):
            owner = self._owners.get(added)
            write.refuse_taken(added, owner.name if owner else None, name)
        self.last += 1
        self.new += current is None
        current = current or _Site(0, name, text, after)
        current.policy, current.hosts, current.seq = text, after, self.last
        self._put[name] = current
        for moved in sorted(before - after):
            self._move(moved, None)
        for moved in sorted(after - before):
            self._move(moved, current)
        written = {
            "seq": self.last,
            "at": self._at,
            "actor": self._by,
            "site": name,
            "policy": text,
            "hosts": hosts_text(name, after),
            "affected": hosts_text(name, before | after),
        }
        self._changes.append((current, written))

    def write(self) -> None:
        """Everything at once, each table in the order in which the puts would have written it."""
        if not self._changes:
            return
        self._connection.execute(write.COUNT, {"seq": self.last})
        self._write_sites()
        self._write_hosts()
        moves = [
            {"host": name, "at": self._at, "seq": seq, "site_id": owner and owner.id}
            for name, seq, owner in self._moves
        ]
        self._insert(host_history, moves)
        self._insert(change, [written | {"site_id": its.id} for its, written in self._changes])

    def _move(self, name: str, to: _Site | None) -> None:
        self._owners_before.setdefault(name, self._owners.get(name))
        self._owners[name] = to
        self._moves.append((name, self.last, to))

    def _write_sites(self) -> None:
        known = [its for its in self._put.values() if its.id]
        new = {its.name: its for its in self._put.values() if not its.id}
        self._many(write.SITE, [{"site_id": its.id, "policy": its.policy, "seq": its.seq} for its in known])
        if new:
            rows = [{"name": its.name, "policy": its.policy, "seq": its.seq} for its in new.values()]
            for row in self._connection.execute(_NEW_SITES, rows):
                new[row.name].id = row.id

    def _write_hosts(self) -> None:
        """The state now: of a host that was moved to and fro only where it came to rest."""
        moved = [(name, was, self._owners[name]) for name, was in sorted(self._owners_before.items())]
        self._many(write.TAKE, [{"taken": name} for name, was, now in moved if was and was is not now])
        given = [{"host": name, "site_id": now.id} for name, was, now in moved if now and was is not now]
        self._insert(host, given)

    def _many(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows and self._connection.dialect.name == "postgresql":
            postgres.insert_many(self._connection, table, rows)
        else:
            self._many(insert(table), rows)


def _owners(connection: Connection, names: list[str]) -> dict[str, _Site | None]:
    sites: dict[int, _Site] = {}
    owners: dict[str, _Site | None] = {}
    for start in range(0, len(names), _VALUES):
        for row in connection.execute(_SITES_OF, {"names": names[start : start + _VALUES]}):
            if row.site_id not in sites:
                hosts = frozenset(json.loads(row.hosts))
                owner = sites[row.site_id] = _Site(row.site_id, row.site, row.policy, hosts)
                owners |= dict.fromkeys(hosts, owner)  # all: a put may give up one that no put mentions
    return owners


def _mentioned(chunk: list[Put]) -> list[str]:
    return [name for put in chunk for name in (put.site, *further(put))]


def _chunks(puts: Iterable[Put]) -> Iterator[list[Put]]:
    """Lists of puts that speak of some ``_CHUNK`` names together; one put is never cut."""
    stream = iter(puts)
    while chunk := list(islice(stream, 1)):
        names = _names(chunk[0])
        while names < _CHUNK and (more := next(stream, None)):
            chunk.append(more)
            names += _names(more)
        yield chunk


def _names(put: Put) -> int:
    return 1 if put.hosts is None else 1 + put.hosts.count(",")
