"""The partners of a registry: who they are, what they were given, and what they read."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from aipolicy.core.crawlers import crawler_named
from aipolicy.errors import PartnerError, UnknownPartnerError
from aipolicy.partners.tables import ensure_tables, export, export_site, partner, read, token
from aipolicy.registry import Registry
from aipolicy.times import from_microseconds, iso, to_microseconds

Channel = Literal["exports", "feed", "crawl"]
"""A way in which a partner gets content: data exports, by following the feed, or by crawling."""
ReadKind = Literal["feed", "snapshot", "check", "removals"]

CHANNELS: tuple[str, ...] = get_args(Channel)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOKEN = "aip_"  # noqa: S105 - the prefix by which scanners of leaked secrets find one
_LONGEST = 1000  # characters of a contact
_CHUNK = 10_000  # rows of one statement


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner that gets content of the platform.

    Attributes:
        id: Its number in the registry.
        name: Its name, unique in the registry, also among removed ones.
        crawlers: The product tokens of its crawlers, as the crawler table spells them.
        contact: The address for removal requests.
        receives: The ways in which it gets content.
        since: The first day on which it could have got content.
        deadline_days: The days it has to answer a removal request.
        added: When it was added.
        removed: When it was removed, or None.
        examined: Removal requests have been opened up to this change.
    """

    id: int
    name: str
    crawlers: tuple[str, ...]
    contact: str
    receives: tuple[str, ...]
    since: date
    deadline_days: int
    added: datetime
    removed: datetime | None = None
    examined: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; it has no secret."""
        return {
            "partner": self.name,
            "crawlers": list(self.crawlers),
            "contact": self.contact,
            "receives": list(self.receives),
            "since": self.since.isoformat(),
            "deadline_days": self.deadline_days,
            "added": iso(self.added),
            "removed": iso(self.removed),
        }


@dataclass(frozen=True, slots=True)
class Read:
    """One answer that a partner was given.

    Attributes:
        at: When.
        kind: The kind of answer.
        after: The change that the partner's cursor named, or None.
        upto: The last change that the answer covers.
        events: The number of its lines.
        digest: The SHA-256 of its body, hexadecimal.
    """

    at: datetime
    kind: str
    after: int | None
    upto: int
    events: int
    digest: str


@dataclass(frozen=True, slots=True)
class Export:
    """One export that a partner was given.

    Attributes:
        id: Its number in the registry.
        at: When.
        seq: The registry's last change when it was decided.
        manifest: The path of its manifest.
        digest: The SHA-256 of the manifest, hexadecimal.
        shared: The number of posts that were shared.
        withheld: The number of posts that were withheld.
    """

    id: int
    at: datetime
    seq: int
    manifest: str
    digest: str
    shared: int
    withheld: int


def _now() -> datetime:
    return datetime.now(UTC)


class Partners:
    """The partners of one registry. Creates their tables where the registry has none.

    Raises:
        RegistryError: the database fails, a newer aipolicy made the tables, or the registry is a replica.
    """

    def __init__(self, registry: Registry, *, clock: Callable[[], datetime] = _now) -> None:
        self.registry = registry
        self.clock = clock
        ensure_tables(registry)

    def add(
        self,
        name: str,
        *,
        crawlers: Collection[str],
        contact: str,
        receives: Collection[str],
        since: date,
        deadline_days: int = 30,
    ) -> tuple[Partner, str]:
        """Add a partner; return it and its bearer token, of which the registry keeps the digest only.

        See ``Partner`` for the arguments.

        Raises:
            PartnerError: an argument is invalid, or the name is taken.
        """
        now = self.clock()
        added = Partner(
            id=0,
            name=_valid_name(name),
            crawlers=_valid_crawlers(crawlers),
            contact=_valid_contact(contact),
            receives=_valid_channels(receives),
            since=_valid_since(since, now),
            deadline_days=_valid_deadline(deadline_days),
            added=now,
        )
        bearer = _new_token()
        values = {
            "name": added.name,
            "crawlers": json.dumps(added.crawlers),
            "contact": added.contact,
            "receives": json.dumps(added.receives),
            "since": added.since.isoformat(),
            "deadline_days": added.deadline_days,
            "added": to_microseconds(now),
            "examined": 0,
        }
        with self.registry.database.writing() as connection:
            taken = connection.execute(_named(name)).first()
            if taken:
                state = "was removed; its history stays" if taken.removed else "is in use"
                raise PartnerError(f"partner {name!r} {state}: choose another name")
            (id_,) = connection.execute(insert(partner), values).inserted_primary_key  # type: ignore[misc]
            self._add_token(connection, id_, bearer)
            row = connection.execute(select(partner).where(partner.c.id == id_)).one()
        return _partner(row), bearer

    def all(self, *, removed: bool = False) -> list[Partner]:
        """Return the partners by name, with ``removed`` also those that were removed."""
        statement = select(partner).order_by(partner.c.name)
        if not removed:
            statement = statement.where(partner.c.removed.is_(None))
        with self.registry.database.reading() as connection:
            return [_partner(row) for row in connection.execute(statement)]

    def get(self, name: str) -> Partner:
        """Return the partner with this name, removed or not.

        Raises:
            UnknownPartnerError: no partner has the name.
        """
        with self.registry.database.reading() as connection:
            row = connection.execute(_named(name)).first()
        if row is None:
            raise UnknownPartnerError(f"there is no partner {name!r}: see `aipolicy partners list`")
        return _partner(row)

    def rotate_token(self, name: str) -> str:
        """Return a new token of a partner; those before it are no longer valid.

        Raises:
            UnknownPartnerError: no partner has the name.
            PartnerError: the partner was removed.
        """
        found = self._active(name)
        bearer = _new_token()
        with self.registry.database.writing() as connection:
            self._end_tokens(connection, found)
            self._add_token(connection, found.id, bearer)
        return bearer

    def remove(self, name: str) -> None:
        """End a partner's access. Its history, removal requests and exports stay.

        Raises:
            UnknownPartnerError: no partner has the name.
            PartnerError: the partner was removed before.
        """
        found = self._active(name)
        with self.registry.database.writing() as connection:
            self._end_tokens(connection, found)
            ended = update(partner).where(partner.c.id == found.id)
            connection.execute(ended.values(removed=to_microseconds(self.clock())))

    def authenticate(self, bearer: str) -> Partner | None:
        """Return the partner whose valid token this is, or None."""
        digest = _digest(bearer)
        statement = (
            select(token.c.digest, *partner.c)
            .join_from(token, partner)
            .where(token.c.digest == digest, token.c.ended.is_(None), partner.c.removed.is_(None))
        )
        with self.registry.database.reading() as connection:
            row = connection.execute(statement).first()
        return _partner(row) if row and hmac.compare_digest(row.digest, digest) else None

    def record_read(
        self, found: Partner, *, kind: ReadKind, after: int | None, upto: int, events: int, digest: str
    ) -> None:
        """Record an answer that a partner was given; see ``Read`` for the arguments."""
        values = {
            "partner_id": found.id,
            "at": to_microseconds(self.clock()),
            "kind": kind,
            "after": after,
            "upto": upto,
            "events": events,
            "digest": digest,
        }
        with self.registry.database.writing() as connection:
            connection.execute(insert(read), values)

    def reads(self, found: Partner, *, kind: ReadKind | None = None) -> list[Read]:
        """Return the answers that a partner was given, oldest first."""
        statement = select(read).where(read.c.partner_id == found.id).order_by(read.c.id)
        if kind:
            statement = statement.where(read.c.kind == kind)
        with self.registry.database.reading() as connection:
            return [
                Read(from_microseconds(row.at), row.kind, row.after, row.upto, row.events, row.digest)
                for row in connection.execute(statement)
            ]

    def learned(self, found: Partner, seq: int) -> datetime | None:
        """Return when a partner was first given an answer that covers change ``seq``, or None.

        A page of the feed covers the changes behind its cursor, a snapshot all before it.
        """
        statement = select(func.min(read.c.at)).where(
            read.c.partner_id == found.id,
            read.c.upto >= seq,
            (read.c.kind == "snapshot") | ((read.c.kind == "feed") & (read.c.after < seq)),
        )
        with self.registry.database.reading() as connection:
            at = connection.execute(statement).scalar()
        return None if at is None else from_microseconds(at)

    def record_export(
        self,
        found: Partner,
        *,
        seq: int,
        manifest: str,
        digest: str,
        shared: int,
        withheld: int,
        sites: Iterable[int],
    ) -> int:
        """Record an export with the ids of the sites whose posts were shared; return its number.

        See ``Export`` for the other arguments.
        """
        values = {
            "partner_id": found.id,
            "at": to_microseconds(self.clock()),
            "seq": seq,
            "manifest": manifest,
            "digest": digest,
            "shared": shared,
            "withheld": withheld,
        }
        with self.registry.database.writing() as connection:
            (id_,) = connection.execute(insert(export), values).inserted_primary_key  # type: ignore[misc]
            ids = sorted(set(sites))
            for start in range(0, len(ids), _CHUNK):
                rows = [{"export_id": id_, "site_id": one} for one in ids[start : start + _CHUNK]]
                connection.execute(insert(export_site), rows)
        return int(id_)

    def exports(self, found: Partner) -> list[Export]:
        """Return the exports that a partner was given, oldest first."""
        statement = select(export).where(export.c.partner_id == found.id).order_by(export.c.id)
        with self.registry.database.reading() as connection:
            return [
                Export(
                    row.id,
                    from_microseconds(row.at),
                    row.seq,
                    row.manifest,
                    row.digest,
                    row.shared,
                    row.withheld,
                )
                for row in connection.execute(statement)
            ]

    def _active(self, name: str) -> Partner:
        found = self.get(name)
        if found.removed:
            raise PartnerError(
                f"partner {name!r} was removed on {iso(found.removed)}: add it under a new name"
            )
        return found

    def _add_token(self, connection: Connection, partner_id: int, bearer: str) -> None:
        values = {
            "digest": _digest(bearer),
            "partner_id": partner_id,
            "created": to_microseconds(self.clock()),
        }
        connection.execute(insert(token), values)

    def _end_tokens(self, connection: Connection, found: Partner) -> None:
        valid = update(token).where(token.c.partner_id == found.id, token.c.ended.is_(None))
        connection.execute(valid.values(ended=to_microseconds(self.clock())))


def _named(name: str) -> Select[Any]:
    return select(partner).where(func.lower(partner.c.name) == name.lower())


def _partner(row: Row[Any]) -> Partner:
    return Partner(
        row.id,
        row.name,
        tuple(json.loads(row.crawlers)),
        row.contact,
        tuple(json.loads(row.receives)),
        date.fromisoformat(row.since),
        row.deadline_days,
        from_microseconds(row.added),
        None if row.removed is None else from_microseconds(row.removed),
        row.examined,
    )


def _new_token() -> str:
    return _TOKEN + secrets.token_urlsafe(32)


def _digest(bearer: str) -> str:
    return hashlib.sha256(bearer.encode("utf-8", "surrogateescape")).hexdigest()


def _valid_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        fix = "use 1 to 64 letters, digits, dots, hyphens or underscores"
        raise PartnerError(f"partner name {name[:80]!r} is invalid: {fix}")
    return name


def _valid_crawlers(crawlers: Collection[str]) -> tuple[str, ...]:
    if isinstance(crawlers, str) or not crawlers:
        raise PartnerError("a partner needs at least one crawler: give the product token of each")
    found: dict[str, None] = {}
    for name in crawlers:
        crawler = crawler_named(name)
        if crawler is None:
            fix = "see `aipolicy crawlers`, or add it with --crawlers FILE"
            raise PartnerError(f"crawler {name[:80]!r} isn't in the crawler table: {fix}")
        found[crawler.product_token] = None
    return tuple(found)


def _valid_contact(contact: str) -> str:
    if not contact.strip() or not contact.isprintable() or len(contact) > _LONGEST:
        raise PartnerError(f"contact {contact[:80]!r} is invalid: give the address for removal requests")
    return contact


def _valid_channels(receives: Collection[str]) -> tuple[str, ...]:
    given = set(receives)
    if isinstance(receives, str) or not given or not given <= set(CHANNELS):
        shown = ", ".join(sorted(map(str, given))) if not isinstance(receives, str) else receives
        raise PartnerError(f"receives is {shown[:80]!r}: choose one or more of {', '.join(CHANNELS)}")
    return tuple(channel for channel in CHANNELS if channel in given)


def _valid_since(since: date, now: datetime) -> date:
    if since > now.astimezone(UTC).date():
        raise PartnerError(f"since is {since}, which is in the future: give the first day of the agreement")
    return since


def _valid_deadline(days: int) -> int:
    if not 1 <= days <= 3650:
        raise PartnerError(f"deadline of {days} days is invalid: use 1 to 3650")
    return days
