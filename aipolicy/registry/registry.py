"""The registry: each site's policy, all of its hosts, and who changed what, when."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Row, Select, bindparam, func, select

from aipolicy.core.checkpoint import Mark
from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import HostTakenError, UnknownSiteError
from aipolicy.registry import bulk_write, change_feed, timeline, write
from aipolicy.registry.changes import Change, InForce, microseconds, read_policy
from aipolicy.registry.clock import Times
from aipolicy.registry.database import Database
from aipolicy.registry.integrity import WHOLE, not_whole
from aipolicy.registry.schema import change, host, sequence, site
from aipolicy.registry.staging import Put
from aipolicy.registry.validation import check_actor, checked, written

DEFAULT_URL = "sqlite:///aipolicy.db"
"""A file in the current directory."""

# A page at a time: a slow consumer holds no transaction open, which would keep SQLite's log growing.
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
    """A context manager; threads may share one. A process that is forked while none of them uses it may go on
    with it; else open one in each.

    ``url``     ``sqlite:///file.db``, or ``sqlite:////srv/file.db`` for an absolute path; or
                ``postgresql://user@host/database``, which needs ``asgi-aipolicy[postgres]``.
    ``create``  make the registry where there is none; with False that is an error.
    ``clock``   tells the time, with its zone.

    Raises RegistryURLError for an address that can't be used, RegistryError for a database that is not a
    registry, or is one of a newer version. Methods take a host in any spelling and raise HostError for what
    is none; whatever goes wrong in the database is a RegistryError.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, create: bool = True, clock: Callable[[], datetime] = _now
    ) -> None:
        self._database = Database(url, create=create)
        self._times = Times(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    @property
    def registry_id(self) -> str:
        """32 hexadecimal digits, made with the registry: tells whether two cursors count the same changes."""
        return self._database.registry_id

    @property
    def seq(self) -> int:
        """The number of the latest change; 0 before the first."""
        with self._database.reading() as connection:
            seq: int = connection.execute(_SEQ).scalar_one()
            return seq

    @property
    def last(self) -> Mark:
        """The latest change."""
        with self._database.reading() as connection:
            return Mark.of(connection.execute(_LAST).one())

    def check_whole(self) -> None:
        """Raises RegistryError where part of it is missing, as while it is restored from a dump.

        For whoever takes what is missing for gone. It reads all keys: see ``whole``.
        """
        with self._database.reading() as connection:
            if not connection.exec_driver_sql(WHOLE).scalar():
                raise not_whole(self._database.name)

    def counts(self) -> dict[str, int]:
        """How many ``sites``, ``hosts`` and ``changes`` there are, counted: seconds for ten million."""
        with self._database.reading() as connection:
            return dict(connection.execute(_COUNTS).one()._mapping)

    def put(self, policy: SitePolicy, *, by: str, hosts: Iterable[str] | None = None) -> Change:
        """Make ``policy`` the policy of its site from now on, and the site if it is new.

        ``by`` says who, for the history. ``hosts`` are all of the site's further hosts; None keeps those it
        has. Where that is what the site has already, nothing is written and its latest change returned.
        Once this returns, the change survives a crash of the process and of the machine.

        Raises HostTakenError where a host is another site's, RegistryError for a policy without a site.
        """
        check_actor(by)
        policy, names = checked(policy, hosts)
        with self._database.writing() as connection:
            return write.put(connection, policy, by=by, hosts=names, times=self._times)

    def change(
        self,
        host: str,
        to: Callable[[SitePolicy], SitePolicy],
        *,
        by: str,
        hosts: Iterable[str] | None = None,
    ) -> Change:
        """Put what ``to`` makes of the policy that ``host`` has; of a new site, of one that says nothing.

        As ``put``, but nobody writes between the reading and the writing: of two changes at once neither is
        lost. Other writers wait for ``to``, which can't write to the registry itself; an exception from it
        undoes everything.
        """
        check_actor(by)
        name = site_name(host)
        with self._database.writing() as connection:
            write.last_seq(connection)  # from here on nobody else writes
            row = connection.execute(_POLICY, {"host": name}).first()
            current = read_policy(row.policy, row.name) if row else SitePolicy(site=name)
            policy, names = checked(to(current), hosts)
            return write.put(connection, policy, by=by, hosts=names, times=self._times)

    def put_many(
        self,
        puts: Iterable[SitePolicy | tuple[SitePolicy, Iterable[str] | None]],
        *,
        by: str,
        dry_run: bool = False,
        refused: Callable[[SitePolicy, HostTakenError], None] | None = None,
    ) -> int:
        """Put each policy, or pair of policy and ``hosts``, in their order: all of them or none.

        Returns how many changes that made; each is what ``put`` would have written, and all have one time.
        ``puts`` is consumed in a single transaction that other writers wait for (at most 5 s), so it should
        be at hand; memory is that of some thousand. An exception from it undoes everything, and ``dry_run``
        undoes everything at the end. Raises as ``put`` does; but given ``refused``, a put whose host is taken
        is left out, and ``refused`` called with its policy and the HostTakenError.
        """
        check_actor(by)

        def leave_out(put: Put, error: HostTakenError) -> None:
            if refused is None:
                raise error
            refused(read_policy(put.policy, put.site), error)

        with self._database.writing() as connection:
            given = written(puts)
            made = bulk_write.put_many(connection, given, by=by, times=self._times, refused=leave_out)
            changes = sum(counts.new + counts.changed for counts in made)
            if dry_run:
                connection.rollback()
        return changes

    def get(self, host: str) -> SitePolicy | None:
        """The policy of the site that has ``host``, or None."""
        row = self._first(_POLICY, {"host": site_name(host)})
        return row and read_policy(row.policy, row.name)

    def hosts(self, host: str) -> tuple[str, ...]:
        """All hosts of the site that has ``host``: its own name, then the others. Raises UnknownSiteError."""
        row = self._first(write.LATEST, {"host": site_name(host)})
        if row is None:
            raise _unknown(host)
        return tuple(json.loads(row.hosts))

    def history(self, host: str) -> list[Change]:
        """Every change of the site that has ``host`` now, oldest first. Raises UnknownSiteError."""
        with self._database.reading() as connection:
            rows = connection.execute(_HISTORY, {"host": site_name(host)}).all()
        if not rows:
            raise _unknown(host)
        return [Change.from_row(row) for row in rows]

    def at(self, host: str, when: datetime) -> SitePolicy | None:
        """The policy in force at ``when`` on ``host``: that of ``change_in_force``."""
        found = self.change_in_force(host, when)
        return None if found is None else found.policy

    def change_in_force(self, host: str, when: datetime | None = None) -> Change | None:
        """The change by which ``host`` declares what it does, or did at ``when``; None where no site had it.

        Its site is the one that had the host then. Of several changes in one microsecond the last was in
        force. Raises RegistryError for a time without a time zone.
        """
        if when is None:
            row = self._first(write.LATEST, {"host": site_name(host)})
        else:
            row = self._first(timeline.THEN, {"host": site_name(host), "when": microseconds(when)})
        return row and Change.from_row(row)

    def timeline(self, host: str) -> list[InForce]:
        """All that was ever in force on ``host``, oldest first, each at another time: what ``at`` answers.

        Before the first nothing was. Empty where no site ever had the host.
        """
        with self._database.reading() as connection:
            return timeline.timeline(connection, site_name(host))

    def changes(self, after: int = 0, limit: int | None = None) -> Iterator[Change]:
        """The changes numbered above ``after``, in order, at most ``limit``: none is missed or doubled."""
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
        """The policy of every site, by name. A site put meanwhile may be there as before or as after."""
        after = ""
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(_SITES, {"after": after, "page": _PAGE}).all()
            for row in rows:
                yield read_policy(row.policy, row.name)
            if len(rows) < _PAGE:
                return
            after = rows[-1].name

    def texts(self, after: str = "") -> Iterator[tuple[str, str]]:
        """Every host above ``after`` by name, and its site's policy in JSON: equal text, equal policy.

        For whoever goes through all of them: a policy is not made anew for each. As for what changes
        meanwhile, see ``sites``.
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
        """As ``texts``, for those of ``hosts`` (canonical, at most some thousand) that a site has."""
        with self._database.reading() as connection:
            return {row.host: row.policy for row in connection.execute(_TEXTS_OF, {"hosts": list(hosts)})}

    def affected(self, after: Mark) -> Iterator[tuple[Mark, set[str]]]:
        """The changes behind ``after``, some thousand at a time: the last of them, and all hosts that were
        their sites' before or are since.

        Raises HistoryError where ``after`` isn't there as it was, RegistryError where a change's site isn't
        there: see ``check_whole``.
        """
        return change_feed.behind(self._database, after, _LARGE_PAGE)

    def _first(self, statement: Select[Any], values: dict[str, Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(statement, values).first()


def _unknown(host: str) -> UnknownSiteError:
    return UnknownSiteError(f"no site in the registry has the host {host!r}: check its spelling")
