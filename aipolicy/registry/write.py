"""Write policies and hosts: validate them, decide what changes, and record each change with its number.

``_Chunk`` decides what puts change: it reads the sites and hosts that they name, applies the puts in memory
in their order, and writes the result at once. ``put`` is a chunk of one. ``put_many`` first lets the database
compare a chunk (``put_tables``), which is ten times as fast, and falls back to ``_Chunk`` if hosts move
between sites, because then the order of the puts counts.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import HostTakenError, RegistryError
from aipolicy.registry import postgres
from aipolicy.registry.changes import Change, PolicyTexts, hosts_text, microseconds, policy_text
from aipolicy.registry.put_tables import Put, PutCounts, PutTables, further_hosts
from aipolicy.registry.schema import change, host, host_history, sequence, site
from aipolicy.robotstxt.merge import check_fits
from aipolicy.times import from_microseconds, iso

LONGEST_ACTOR = 200
"""Maximum length of an author's name, in characters."""

_CHUNK = 10_000  # host names: some megabytes
_VALUES = 1000  # in one statement: databases limit them
_COPY_FROM = 20  # rows: for fewer, COPY costs more than INSERT
_FAR_AHEAD = 3_600_000_000  # microseconds

logger = logging.getLogger("aipolicy.registry")

# Built once: SQLAlchemy then finds their compiled form in its cache.
LATEST = (
    select(change)
    .join_from(host, site, host.c.site_id == site.c.id)
    .join(change, change.c.seq == site.c.seq)
    .where(host.c.host == bindparam("host"))
)
"""The latest change of the site that has ``:host``."""

# SQLite's transaction holds the lock from its beginning; elsewhere this row is the lock, so that numbers are
# in the order of the commits.
_LAST_SEQ = select(sequence.c.seq).with_for_update()
_TIME_OF = select(change.c.at).where(change.c.seq == bindparam("seq"))
_SITES_OF = (
    select(change)
    .join_from(site, change, change.c.seq == site.c.seq)
    .where(
        # Each site once, however many of its hosts are asked for.
        site.c.id.in_(select(host.c.site_id).where(host.c.host.in_(bindparam("names", expanding=True))))
    )
)
_SET_SEQ = update(sequence)
_UPDATE_SITE = update(site).where(site.c.id == bindparam("site_id"))
_INSERT_SITE = insert(site)
_INSERT_SITES = insert(site).returning(site.c.id, site.c.name)
_DELETE_HOST = delete(host).where(host.c.host == bindparam("old_host"))
_INSERT: dict[Table, Any] = {table: insert(table) for table in (host, host_history, change)}

OnTaken = Callable[[Put, HostTakenError], None]
"""Called with a put that was left out because a host is taken; raising an exception undoes all puts."""


class HistoryClock:
    """A clock that never runs behind the latest change."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._warned = False

    def after(self, connection: Connection, last: int) -> int:
        """Return the time of the change that follows number ``last``, in microseconds since the epoch.

        If the clock was set back, this is the time of the latest change. If that is far ahead of the clock, a
        warning is logged once; owners can still opt out.
        """
        now = microseconds(self._clock())
        at: int = connection.execute(_TIME_OF, {"seq": last}).scalar() or 0
        if at > now + _FAR_AHEAD and not self._warned:
            self._warned = True
            logger.warning(
                "the latest change, %d, is dated %s, but this machine's clock says %s: new changes get the "
                "later time; correct the clocks of all machines that write, and if the date of that change "
                "is wrong, import the sites into a new registry",
                last,
                iso(at, "seconds"),
                iso(now, "seconds"),
            )
        return max(now, at)


def check_actor(by: str) -> None:
    """Raise RegistryError if ``by`` can't be recorded as the author of a change."""
    if not (isinstance(by, str) and by.strip() and by.isprintable() and len(by) <= LONGEST_ACTOR):
        fix = f"give the name of the author, 1 to {LONGEST_ACTOR} printable characters"
        raise RegistryError(f"by is {by!r}: {fix}")


def validated(policy: SitePolicy, hosts: Iterable[str] | None) -> tuple[SitePolicy, frozenset[str] | None]:
    """Return the policy, and its hosts in canonical form.

    Raises:
        RegistryError: The policy has no site, or ``hosts`` is a string.
        HostError: A host is invalid.
        RobotsTooLargeError: Its robots.txt is too large to be served whole.
    """
    if not policy.site:
        fix = "set one with policy.for_site('blog.example')"
        raise RegistryError(f"the policy has no site: {fix}")
    if isinstance(hosts, str):
        raise RegistryError(f"hosts is {hosts!r}: use a list, like [{hosts!r}]")
    check_fits(policy)
    return policy, None if hosts is None else frozenset(map(site_name, hosts))


def serialised(puts: Iterable[SitePolicy | tuple[SitePolicy, Iterable[str] | None]]) -> Iterator[Put]:
    """Validate each put and yield it in the form in which it is stored."""
    texts = PolicyTexts()
    for item in puts:
        policy, hosts = validated(*(item if isinstance(item, tuple) else (item, None)))
        yield Put(
            policy.site, texts.text_of(policy), None if hosts is None else hosts_text(policy.site, hosts)
        )


def put(
    connection: Connection, policy: SitePolicy, *, by: str, hosts: frozenset[str] | None, clock: HistoryClock
) -> Change:
    """Put one policy and return its change, or the site's latest one where nothing changes.

    Args:
        connection: In a transaction of its own.
        hosts: canonical; None keeps those that the site has.

    Raises:
        HostTakenError: A host belongs to another site.
    """
    name = policy.site
    item = Put(name, policy_text(policy), None if hosts is None else hosts_text(name, hosts))
    chunk = _Chunk(connection, [item], by=by, last=lock(connection), clock=clock)
    chunk.put(item)
    chunk.write()
    stored = chunk.site(name)
    return Change(
        stored.seq, from_microseconds(stored.at), stored.actor, name, policy, tuple(json.loads(stored.text))
    )


def put_many(
    connection: Connection, puts: Iterable[Put], *, by: str, clock: HistoryClock, on_taken: OnTaken
) -> Iterator[PutCounts]:
    """Put in chunks, and yield the counts of each chunk.

    Every change has the time of the first one, so that ``Registry.at`` never sees only some of them.

    Args:
        connection: In a transaction of its own.
        on_taken: Called for a put that is left out because a host belongs to another site.
    """
    last = lock(connection)
    at = clock.after(connection, last)
    tables = PutTables(connection)
    for chunk in _chunks(puts):
        names = _names(chunk)
        unchanged = 0
        if len(set(names)) == len(names):
            tables.fill(chunk)
            pending = tables.number_changes(last)
            unchanged = len(chunk) - pending.new - pending.changed
            if not pending.moves_hosts:
                if unchanged < len(chunk):
                    last += pending.new + pending.changed
                    connection.execute(_SET_SEQ, {"seq": last})
                    tables.write(pending, at=at, by=by)
                yield PutCounts(pending.new, pending.changed, unchanged)
                continue
            chunk = [chunk[place] for place in tables.pending()]
        rest = _Chunk(connection, chunk, by=by, last=last, at=at)
        left_out = 0
        for item in chunk:
            try:
                rest.put(item)
            except HostTakenError as error:  # nothing of it was recorded
                on_taken(item, error)
                left_out += 1
        rest.write()
        changed = rest.last - last - rest.new
        yield PutCounts(rest.new, changed, unchanged + len(chunk) - left_out - rest.new - changed)
        last = rest.last


def lock(connection: Connection) -> int:
    """Wait until nobody else writes, and return the number of the latest change."""
    seq: int = connection.execute(_LAST_SEQ).scalar_one()
    return seq


def check_new_site(name: str, owner: str) -> None:
    """Raise HostTakenError if ``name`` is a further host of the site ``owner``."""
    if owner != name:
        fix = f"put the policy of {owner!r}, or first put that site with hosts that leave it out"
        raise HostTakenError(f"{name!r} can't be a site: it is a host of {owner!r}: {fix}")


def check_new_host(wanted: str, owner: str | None, name: str) -> None:
    """Raise HostTakenError if ``wanted``, a host of the site ``owner``, can't be a host of ``name``."""
    if owner == wanted:
        fix = "leave it out; a site can't become a host of another site"
        raise HostTakenError(f"{wanted!r} can't be a host of {name!r}: it is a site: {fix}")
    if owner:
        fix = "first put that site with hosts that leave it out"
        raise HostTakenError(f"{wanted!r} can't be a host of {name!r}: it belongs to {owner!r}: {fix}")


@dataclass(slots=True, eq=False)
class _Site:
    """A site after the puts so far; ``id`` is 0 until it is written."""

    id: int
    name: str
    policy: str
    hosts: frozenset[str]
    text: str = ""
    """The text of ``hosts_text``."""
    seq: int = 0
    at: int = 0
    actor: str = ""


class _Chunk:
    """The sites and hosts that some puts name, and the changes that the puts make."""

    def __init__(
        self,
        connection: Connection,
        puts: list[Put],
        *,
        by: str,
        last: int,
        at: int | None = None,
        clock: HistoryClock | None = None,
    ) -> None:
        self._connection = connection
        self._by, self._at, self._clock = by, at, clock
        self.last, self.new = last, 0
        self._owners = _owners(connection, sorted(set(_names(puts))))
        self._owners_before: dict[str, _Site | None] = {}  # of the hosts that were moved
        self._changed: dict[str, _Site] = {}
        self._moves: list[tuple[str, int, _Site | None]] = []
        self._changes: list[tuple[_Site, dict[str, Any]]] = []

    def site(self, name: str) -> _Site:
        """Return the site ``name``, which was put."""
        found = self._owners[name]
        if found is None:
            raise KeyError(name)
        return found

    def put(self, item: Put) -> None:
        """Record what one put changes. Raises HostTakenError, and records nothing then."""
        name, text = item.site, item.policy
        current = self._owners.get(name)
        if current:
            check_new_site(name, current.name)
        before = current.hosts if current else frozenset()
        after = (before if item.hosts is None else frozenset(further_hosts(item))) | {name}
        if current and current.policy == text and before == after:
            return
        for added in sorted(after - before):
            owner = self._owners.get(added)
            check_new_host(added, owner.name if owner else None, name)
        if self._at is None and self._clock:
            self._at = self._clock.after(self._connection, self.last)
        self.last += 1
        self.new += current is None
        current = current or _Site(0, name, text, after)
        current.policy, current.hosts, current.text = text, after, hosts_text(name, after)
        current.seq, current.at, current.actor = self.last, self._at or 0, self._by
        self._changed[name] = current
        for moved in sorted(before - after):
            self._move(moved, None)
        for moved in sorted(after - before):
            self._move(moved, current)
        row = {
            "seq": self.last,
            "at": self._at,
            "actor": self._by,
            "site": name,
            "policy": text,
            "hosts": current.text,
            "affected": hosts_text(name, before | after),
        }
        self._changes.append((current, row))

    def write(self) -> None:
        """Write all changes, each table in the order of the puts."""
        if not self._changes:
            return
        self._connection.execute(_SET_SEQ, {"seq": self.last})
        self._write_sites()
        self._write_hosts()
        moves = [
            {"host": name, "at": self._at, "seq": seq, "site_id": owner and owner.id}
            for name, seq, owner in self._moves
        ]
        self._insert(host_history, moves)
        self._insert(change, [row | {"site_id": changed.id} for changed, row in self._changes])

    def _move(self, name: str, to: _Site | None) -> None:
        self._owners_before.setdefault(name, self._owners.get(name))
        self._owners[name] = to
        self._moves.append((name, self.last, to))

    def _write_sites(self) -> None:
        known = [each for each in self._changed.values() if each.id]
        new = {each.name: each for each in self._changed.values() if not each.id}
        updates = [{"site_id": each.id, "policy": each.policy, "seq": each.seq} for each in known]
        self._execute(_UPDATE_SITE, updates)
        rows = [{"name": each.name, "policy": each.policy, "seq": each.seq} for each in new.values()]
        if len(rows) == 1:
            (only,) = new.values()
            only.id = self._connection.execute(_INSERT_SITE, rows[0]).inserted_primary_key[0]  # type: ignore[index]
        elif rows:
            for row in self._connection.execute(_INSERT_SITES, rows):
                new[row.name].id = row.id

    def _write_hosts(self) -> None:
        """Write the owner of each moved host; moves in between are in the history only."""
        moved = [(name, was, self._owners[name]) for name, was in sorted(self._owners_before.items())]
        removed = [{"old_host": name} for name, was, now in moved if was and was is not now]
        self._execute(_DELETE_HOST, removed)
        self._insert(
            host, [{"host": name, "site_id": now.id} for name, was, now in moved if now and was is not now]
        )

    def _execute(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows if len(rows) > 1 else rows[0])

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        if len(rows) >= _COPY_FROM and self._connection.dialect.name == "postgresql":
            postgres.insert_many(self._connection, table, rows)
        else:
            self._execute(_INSERT[table], rows)


def _owners(connection: Connection, names: list[str]) -> dict[str, _Site | None]:
    """Return the site of each host in ``names`` that has one, and of all other hosts of those sites.

    A put may remove a host that no put names.
    """
    owners: dict[str, _Site | None] = {}
    known: set[int] = set()
    for start in range(0, len(names), _VALUES):
        for row in connection.execute(_SITES_OF, {"names": names[start : start + _VALUES]}):
            if row.site_id not in known:
                known.add(row.site_id)
                hosts = frozenset(json.loads(row.hosts))
                owner = _Site(row.site_id, row.site, row.policy, hosts, row.hosts, row.seq, row.at, row.actor)
                owners |= dict.fromkeys(hosts, owner)
    return owners


def _names(chunk: list[Put]) -> list[str]:
    return [name for item in chunk for name in (item.site, *further_hosts(item))]


def _chunks(puts: Iterable[Put]) -> Iterator[list[Put]]:
    """Yield lists of puts that name some ``_CHUNK`` hosts together; one put is never cut."""
    stream = iter(puts)
    while chunk := list(islice(stream, 1)):
        names = _host_count(chunk[0])
        while names < _CHUNK and (more := next(stream, None)):
            chunk.append(more)
            names += _host_count(more)
        yield chunk


def _host_count(item: Put) -> int:
    return 1 if item.hosts is None else 1 + item.hosts.count(",")
