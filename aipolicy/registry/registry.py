"""The registry of sites: their policies, their hosts, and the history of all changes."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Row, Select, bindparam, func, select

from aipolicy.core.checkpoint import Checkpoint
from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import HostTakenError, UnknownSiteError
from aipolicy.registry import history, write
from aipolicy.registry.changes import Change, InForce, microseconds, policy_from_text
from aipolicy.registry.database import Database
from aipolicy.registry.put_tables import Put
from aipolicy.registry.schema import change, host, sequence, site

DEFAULT_URL = "sqlite:///aipolicy.db"
"""A file in the current directory."""

# Read in pages: a slow consumer holds no transaction open, which would let SQLite's log grow.
_PAGE = 100
_LARGE_PAGE = 1000  # of small rows

_POLICY = select(site.c.name, site.c.policy).join_from(host, site).where(host.c.host == bindparam("host"))
_SITE_ID = select(host.c.site_id).where(host.c.host == bindparam("host"))
_HISTORY = select(change).where(change.c.site_id == _SITE_ID.scalar_subquery()).order_by(change.c.seq)
_CHANGES = (
    select(change).where(change.c.seq > bindparam("after")).order_by(change.c.seq).limit(bindparam("page"))
)
_SITES = (
    select(site.c.name, site.c.policy)
    .where(site.c.name > bindparam("after"))
    .order_by(site.c.name)
    .limit(bindparam("page"))
)
_SEQ = select(sequence.c.seq)
_LAST = select(sequence.c.seq, *change.c[1:]).join_from(
    sequence, change, change.c.seq == sequence.c.seq, isouter=True
)
_COUNTS = select(
    select(func.count()).select_from(site).scalar_subquery().label("sites"),
    select(func.count()).select_from(host).scalar_subquery().label("hosts"),
    sequence.c.seq.label("changes"),
)
_TEXTS = select(host.c.host, site.c.policy).join_from(host, site, host.c.site_id == site.c.id)
_TEXTS_AFTER = _TEXTS.where(host.c.host > bindparam("after")).order_by(host.c.host).limit(bindparam("page"))
_TEXTS_OF = _TEXTS.where(host.c.host.in_(bindparam("hosts", expanding=True)))


def _now() -> datetime:
    return datetime.now(UTC)


class Registry:
    """A registry in SQLite or PostgreSQL.

    A context manager, which threads may share. After a fork the child may use it too, unless a thread was
    using it at that moment; then open one in each process.

    Methods take a host in any spelling, and raise HostError for an invalid one. Every database error is
    raised as a RegistryError.

    Args:
        url: ``sqlite:///file.db``, ``sqlite:////srv/file.db`` for an absolute path, or
            ``postgresql://user@host/database``, which needs ``asgi-aipolicy[postgres]``.
        create: Create the registry if it doesn't exist; False makes that an error.
        clock: Returns the time, with its time zone.

    Raises:
        RegistryURLError: The address can't be used.
        RegistryError: The database isn't a registry, or was made by a newer version.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, create: bool = True, clock: Callable[[], datetime] = _now
    ) -> None:
        self._database = Database(url, create=create)
        self._clock = write.HistoryClock(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    @property
    def database(self) -> Database:
        """The open database, for aipolicy's own tables beside the registry's."""
        return self._database

    @property
    def registry_id(self) -> str:
        """The registry's random identifier, 32 hexadecimal digits."""
        return self._database.registry_id

    @property
    def seq(self) -> int:
        """The number of the latest change; 0 before the first."""
        with self._database.reading() as connection:
            seq: int = connection.execute(_SEQ).scalar_one()
            return seq

    @property
    def last(self) -> Checkpoint:
        """The latest change."""
        with self._database.reading() as connection:
            return Checkpoint.from_row(connection.execute(_LAST).one())

    def check_complete(self) -> None:
        """Raise RegistryError if rows are missing, as while the registry is restored from a dump.

        Call this before deleting what the registry doesn't have. It reads all keys.
        """
        with self._database.reading() as connection:
            if not connection.exec_driver_sql(history.IS_COMPLETE).scalar():
                raise history.incomplete(self._database.name)

    def counts(self) -> dict[str, int]:
        """Count the ``sites``, ``hosts`` and ``changes``; this takes seconds for ten million."""
        with self._database.reading() as connection:
            return dict(connection.execute(_COUNTS).one()._mapping)

    def put(self, policy: SitePolicy, *, by: str, hosts: Iterable[str] | None = None) -> Change:
        """Put a policy in force on its site, and create the site if it is new.

        Once this returns, the change survives a crash of the process and of the machine.

        Args:
            by: Author recorded in the history.
            hosts: All further hosts of the site; None keeps those that it has.

        Returns:
            The change; if the site has this policy and these hosts already, its latest change.

        Raises:
            HostTakenError: A host belongs to another site.
            RegistryError: The policy has no site.
        """
        write.check_actor(by)
        policy, names = write.validated(policy, hosts)
        with self._database.writing() as connection:
            return write.put(connection, policy, by=by, hosts=names, clock=self._clock)

    def change(
        self,
        host: str,
        to: Callable[[SitePolicy], SitePolicy],
        *,
        by: str,
        hosts: Iterable[str] | None = None,
    ) -> Change:
        """Put the policy that ``to`` returns for the current policy of ``host``.

        The policy is read and written in one transaction, so that no concurrent change is lost. Other writers
        wait for ``to``, which must not write to the registry; if it raises, nothing is written.

        Args:
            to: Called with the current policy; for a new site, with one that declares nothing.
        """
        write.check_actor(by)
        name = site_name(host)
        with self._database.writing() as connection:
            write.lock(connection)
            row = connection.execute(_POLICY, {"host": name}).first()
            current = policy_from_text(row.policy, row.name) if row else SitePolicy(site=name)
            policy, names = write.validated(to(current), hosts)
            return write.put(connection, policy, by=by, hosts=names, clock=self._clock)

    def put_many(
        self,
        puts: Iterable[SitePolicy | tuple[SitePolicy, Iterable[str] | None]],
        *,
        by: str,
        dry_run: bool = False,
        refused: Callable[[SitePolicy, HostTakenError], None] | None = None,
    ) -> int:
        """Put policies, or pairs of a policy and ``hosts``, in order and in one transaction.

        Other writers wait meanwhile, at most 5 s, so ``puts`` should not block; if it raises, nothing is
        written. Some thousand puts are in memory at a time.

        Args:
            dry_run: Undo everything at the end.
            refused: Called with the policy and the HostTakenError of a put that is left out because a host
                belongs to another site; without it that error is raised.

        Returns:
            The number of changes. Each is what ``put`` would have written, and all have the same time.

        Raises:
            HostTakenError, RegistryError: As ``put``.
        """
        write.check_actor(by)

        def leave_out(put: Put, error: HostTakenError) -> None:
            if refused is None:
                raise error
            refused(policy_from_text(put.policy, put.site), error)

        with self._database.writing() as connection:
            chunks = write.put_many(
                connection, write.serialised(puts), by=by, clock=self._clock, on_taken=leave_out
            )
            changes = sum(counts.new + counts.changed for counts in chunks)
            if dry_run:
                connection.rollback()
        return changes

    def get(self, host: str) -> SitePolicy | None:
        """Return the policy of the site that has ``host``, or None."""
        row = self._first(_POLICY, {"host": site_name(host)})
        return row and policy_from_text(row.policy, row.name)

    def hosts(self, host: str) -> tuple[str, ...]:
        """Return all hosts of the site that has ``host``, its own name first. Raises UnknownSiteError."""
        row = self._first(write.LATEST, {"host": site_name(host)})
        if row is None:
            raise _unknown(host)
        return tuple(json.loads(row.hosts))

    def history(self, host: str) -> list[Change]:
        """Return the changes of the site that has ``host`` now, oldest first. Raises UnknownSiteError."""
        with self._database.reading() as connection:
            rows = connection.execute(_HISTORY, {"host": site_name(host)}).all()
        if not rows:
            raise _unknown(host)
        return [Change.from_row(row) for row in rows]

    def at(self, host: str, when: datetime) -> SitePolicy | None:
        """Return the policy that was in force on ``host`` at ``when``, or None; see ``change_in_force``."""
        found = self.change_in_force(host, when)
        return None if found is None else found.policy

    def change_in_force(self, host: str, when: datetime | None = None) -> Change | None:
        """Return the change in force on ``host`` now, or at ``when``; None if no site had the host.

        Its site is the one that had the host then. Of several changes in one microsecond the last was in
        force. Raises RegistryError for a time without a time zone.
        """
        if when is None:
            row = self._first(write.LATEST, {"host": site_name(host)})
        else:
            row = self._first(history.CHANGE_AT, {"host": site_name(host), "when": microseconds(when)})
        return row and Change.from_row(row)

    def timeline(self, host: str) -> list[InForce]:
        """Return the policies of ``host`` over time, oldest first; empty if no site ever had it."""
        with self._database.reading() as connection:
            return history.timeline(connection, site_name(host))

    def changes(self, after: int = 0, limit: int | None = None) -> Iterator[Change]:
        """Yield the changes numbered above ``after``, in order and without a gap, at most ``limit``."""
        while limit is None or limit > 0:
            page = _PAGE if limit is None else min(_PAGE, limit)
            with self._database.reading() as connection:
                rows = connection.execute(_CHANGES, {"after": after, "page": page}).all()
            yield from map(Change.from_row, rows)
            if len(rows) < page:
                return
            after = rows[-1].seq
            limit = None if limit is None else limit - page

    def sites(self) -> Iterator[SitePolicy]:
        """Yield the policy of every site, by name. A concurrent change may or may not be included."""
        after = ""
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(_SITES, {"after": after, "page": _PAGE}).all()
            for row in rows:
                yield policy_from_text(row.policy, row.name)
            if len(rows) < _PAGE:
                return
            after = rows[-1].name

    def texts(self, after: str = "") -> Iterator[tuple[str, str]]:
        """Yield every host above ``after`` by name, and its site's policy as JSON, equal for equal policies.

        Faster than ``sites``, because no policy objects are created. A concurrent change may or may not be
        included.
        """
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(_TEXTS_AFTER, {"after": after, "page": _LARGE_PAGE}).all()
            for row in rows:
                yield row.host, row.policy
            if len(rows) < _LARGE_PAGE:
                return
            after = rows[-1].host

    def texts_of(self, hosts: Iterable[str]) -> dict[str, str]:
        """Like ``texts``, for those of ``hosts`` (canonical, at most some thousand) that belong to a site."""
        with self._database.reading() as connection:
            return {row.host: row.policy for row in connection.execute(_TEXTS_OF, {"hosts": list(hosts)})}

    def affected(self, after: Checkpoint) -> Iterator[tuple[Checkpoint, set[str]]]:
        """Yield the hosts affected by the changes after ``after``, in pages of some thousand changes.

        Returns:
            Pairs of the last change of a page, and all hosts that its sites had before it or have since.

        Raises:
            HistoryError: The change ``after`` is missing or different.
            RegistryError: The site of a change is missing; see ``check_complete``.
        """
        return history.affected_hosts(self._database, after, _LARGE_PAGE)

    def _first(self, statement: Select[Any], values: dict[str, Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(statement, values).first()


def _unknown(host: str) -> UnknownSiteError:
    return UnknownSiteError(f"the registry has no site with the host {host!r}: check its spelling")
