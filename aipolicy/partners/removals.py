"""Removal requests: what partners are asked to remove, and what they answer.

An owner who opts out asks each partner that may hold the site's content for two things: to remove what was
taken (*past*), and to leave the site out of training to come (*future*). A request is opened for

- an opt-out, of the site or of a path, a site made private, and a site that is deleted;
- single posts that should not have been shared.

It is withdrawn when the owner opts in again. Answers are never changed: a later one for the same obligation
replaces an earlier one, and both stay. *Overdue* is derived from the deadline.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.hosts import site_name
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category
from aipolicy.errors import PartnerError, UnknownRemovalError, UnknownSiteError
from aipolicy.partners.entitlement import entitlement
from aipolicy.partners.ledger import Partner, Partners
from aipolicy.partners.tables import export, export_site, partner, removal, removal_answer
from aipolicy.partners.transitions import Transition, transitions
from aipolicy.registry.changes import policy_from_text
from aipolicy.registry.schema import host, site
from aipolicy.times import from_microseconds, iso, to_microseconds

Obligation = Literal["past", "future"]
Outcome = Literal["acknowledged", "removed", "excluded", "not_found", "exempt"]
State = Literal["requested", "acknowledged", "completed", "overdue", "withdrawn"]

STATES: tuple[str, ...] = get_args(State)
_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "past": ("acknowledged", "removed", "not_found", "exempt"),
    "future": ("acknowledged", "excluded", "not_found", "exempt"),
}
_DAY = 86_400_000_000  # microseconds
_LONGEST = 2000  # characters of a reason, a reference or a version
_REMEMBERED = 1000  # distinct policies
_BATCH = 1000  # changes that are examined in one transaction


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a partner to one obligation.

    Attributes:
        at: When it came.
        by: The partner's name, or that of who recorded it.
        obligation: ``past`` or ``future``.
        outcome: What the partner did, or ``acknowledged``.
        reason: Why it is exempt.
        dataset_version: The version of the data set from which the content is gone.
        reference: The partner's own reference.
        expected_completion: The day by which it will be done, for an acknowledgement.
        digest: The SHA-256 of the answer's JSON form, hexadecimal.
    """

    at: datetime
    by: str
    obligation: str
    outcome: str
    reason: str | None
    dataset_version: str | None
    reference: str | None
    expected_completion: date | None
    digest: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without what is not stated."""
        stated = {
            "at": iso(self.at),
            "by": self.by,
            "obligation": self.obligation,
            "outcome": self.outcome,
            "reason": self.reason,
            "dataset_version": self.dataset_version,
            "reference": self.reference,
            "expected_completion": self.expected_completion and self.expected_completion.isoformat(),
            "digest": self.digest,
        }
        return {name: value for name, value in stated.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Removal:
    """A request to one partner to remove the content of one site, path, or of single posts.

    Attributes:
        id: A UUID, permanent.
        partner: The partner's name.
        site: The site's name.
        path: A path pattern (RFC 9309), or None for the whole site.
        posts: The ids of single posts, or None for all.
        reason: Why: the type of the event, or what was given for single posts.
        seq: The registry's change that opened it.
        opened: When it was opened.
        due: When it must be completed.
        withdrawn: When it was withdrawn, or None.
        answers: All answers, oldest first.
    """

    id: str
    partner: str
    site: str
    path: str | None
    posts: tuple[str, ...] | None
    reason: str
    seq: int
    opened: datetime
    due: datetime
    withdrawn: datetime | None
    answers: tuple[Answer, ...] = ()

    @property
    def outcomes(self) -> dict[str, Answer]:
        """The latest answer of each obligation."""
        return {answer.obligation: answer for answer in self.answers}

    @property
    def completed(self) -> bool:
        """Return True if both obligations have an outcome."""
        final = [answer for answer in self.outcomes.values() if answer.outcome != "acknowledged"]
        return len(final) == len(_OUTCOMES)

    def state(self, now: datetime) -> State:
        """Return the state at ``now``."""
        if self.withdrawn:
            return "withdrawn"
        if self.completed:
            return "completed"
        if now > self.due:
            return "overdue"
        return "acknowledged" if self.answers else "requested"

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """Return the JSON form, with the state at ``now``."""
        stated: dict[str, Any] = {
            "id": f"urn:uuid:{self.id}",
            "partner": self.partner,
            "site": self.site,
            "path": self.path,
            "posts": None if self.posts is None else list(self.posts),
            "reason": self.reason,
            "seq": self.seq,
            "opened": iso(self.opened),
            "due": iso(self.due),
            "withdrawn": iso(self.withdrawn),
            "state": self.state(now),
            "answers": [answer.to_dict() for answer in self.answers],
        }
        return {name: value for name, value in stated.items() if value is not None}


_REMOVALS = select(removal, partner.c.name.label("partner_name")).join_from(removal, partner)
_SITE_OF = select(site.c.id, site.c.name).join_from(host, site, host.c.site_id == site.c.id)


class Removals:
    """The removal requests of a registry."""

    def __init__(self, partners: Partners) -> None:
        self._partners = partners
        self._database = partners.registry.database

    def examine(self) -> int:
        """Open and withdraw requests for the changes since the last call; return how many changed.

        It is called before requests are read. Each batch of changes is one transaction with how far it got,
        so that several processes may call it at once, and one that is killed loses nothing.
        """
        return sum(self._examine(found) for found in self._partners.all())

    def find(self, *, partner_name: str | None = None, state: str | None = None) -> list[Removal]:
        """Return requests, oldest first; only those of a partner, or in a state, if given.

        Raises:
            UnknownPartnerError: no partner has the name.
            PartnerError: the state is unknown.
        """
        if state is not None and state not in STATES:
            raise PartnerError(f"state {state!r} is unknown: choose one of {', '.join(STATES)}")
        statement = _REMOVALS.order_by(removal.c.opened, removal.c.id)
        if partner_name is None:
            self.examine()
        else:
            found_partner = self._partners.get(partner_name)
            if not found_partner.removed:
                self._examine(found_partner)
            statement = statement.where(removal.c.partner_id == found_partner.id)
        found = self._read(statement)
        now = self._partners.clock()
        return [one for one in found if state is None or one.state(now) == state]

    def get(self, removal_id: str, *, partner_name: str | None = None) -> Removal:
        """Return a request by its id, with or without ``urn:uuid:``.

        Raises:
            UnknownRemovalError: there is none, or it is another partner's.
        """
        id_ = removal_id.removeprefix("urn:uuid:").lower()
        found = self._read(_REMOVALS.where(removal.c.id == id_))
        if not found or (partner_name is not None and found[0].partner != partner_name):
            raise UnknownRemovalError(f"there is no removal request {removal_id[:80]!r}: check the id")
        return found[0]

    def answer(
        self,
        removal_id: str,
        *,
        obligation: str,
        outcome: str,
        by: str,
        partner_name: str | None = None,
        reason: str | None = None,
        dataset_version: str | None = None,
        reference: str | None = None,
        expected_completion: date | None = None,
    ) -> Removal:
        """Record a partner's answer and return the request. The same answer again changes nothing.

        See ``Answer`` for the arguments; with ``partner_name`` only that partner's requests are found.

        Raises:
            UnknownRemovalError: there is no such request, or it is another partner's.
            PartnerError: the answer is invalid.
        """
        found = self.get(removal_id, partner_name=partner_name)
        if obligation not in _OUTCOMES:
            raise PartnerError(f"obligation {obligation!r} is unknown: choose past or future")
        if outcome not in _OUTCOMES[obligation]:
            choices = ", ".join(_OUTCOMES[obligation])
            raise PartnerError(f"outcome {outcome!r} is unknown for {obligation!r}: choose one of {choices}")
        if outcome == "exempt" and not (reason or "").strip():
            raise PartnerError("outcome 'exempt' needs a reason: say which exemption applies")
        texts = {"reason": reason, "dataset_version": dataset_version, "reference": reference}
        for name, text in texts.items():
            if text is not None and (len(text) > _LONGEST or not text.isprintable()):
                raise PartnerError(f"{name} is invalid: use up to {_LONGEST} printable characters")
        stated = {
            "obligation": obligation,
            "outcome": outcome,
            **texts,
            "expected_completion": expected_completion and expected_completion.isoformat(),
        }
        digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
        with self._database.writing() as connection:
            latest = connection.execute(
                select(removal_answer.c.digest)
                .where(removal_answer.c.removal_id == found.id, removal_answer.c.obligation == obligation)
                .order_by(removal_answer.c.id.desc())
                .limit(1)
            ).scalar()
            if latest != digest:
                at = to_microseconds(self._partners.clock())
                values = {"removal_id": found.id, "at": at, "actor": by, "digest": digest, **stated}
                connection.execute(insert(removal_answer), values)
        return self.get(found.id)

    def open_for_posts(self, partner_name: str, posts: Iterable[tuple[str, str]], *, reason: str) -> int:
        """Ask a partner to remove single posts, pairs of host and post id; return the number of requests.

        Raises:
            UnknownPartnerError: no partner has the name.
            UnknownSiteError: a host is no site's.
            PartnerError: the reason is invalid, or there is no post.
        """
        found = self._partners.get(partner_name)
        if not reason.strip() or not reason.isprintable() or len(reason) > _LONGEST:
            raise PartnerError("reason is invalid: say why the posts must be removed")
        by_site: dict[str, dict[str, None]] = {}
        for name, post in posts:
            by_site.setdefault(site_name(name), {})[post] = None
        if not by_site:
            raise PartnerError("there is no post to remove: give a host and a post id per line")
        now = to_microseconds(self._partners.clock())
        seq = self._partners.registry.seq
        rows = []
        with self._database.reading() as connection:
            for name, ids in by_site.items():
                owner = connection.execute(_SITE_OF.where(host.c.host == name)).first()
                if owner is None:
                    raise UnknownSiteError(f"no site has the host {name!r}: check its spelling")
                rows.append(_row(found, owner.id, owner.name, None, list(ids), reason, seq, now))
        with self._database.writing() as connection:
            connection.execute(insert(removal), rows)
        return len(rows)

    def _examine(self, found: Partner) -> int:
        changed, after, closed = 0, found.examined, _Closed(found)
        while batch := list(transitions(self._partners.registry, after, _BATCH)):
            with self._database.writing() as connection:
                current = select(partner.c.examined).where(partner.c.id == found.id)
                if connection.execute(current).scalar() != after:
                    return changed  # another process is at it
                for transition in batch:
                    changed += self._follow(connection, found, transition, closed)
                after = batch[-1].seq
                done = update(partner).where(partner.c.id == found.id)
                connection.execute(done.values(examined=after))
        return changed

    def _follow(self, connection: Connection, found: Partner, change: Transition, closed: "_Closed") -> int:
        before, after = closed.of(change.before), closed.of(change.after)
        if change.after is None and change.before is not None:
            after = {None: "deleted"}
        if before.keys() == after.keys():
            return 0
        changed = 0
        if None not in after:  # else what was asked for a path stays asked, with its deadline
            for path in before.keys() - after.keys():
                changed += _withdraw(connection, found, change, path)
        since = datetime(found.since.year, found.since.month, found.since.day, tzinfo=UTC)
        if from_microseconds(change.at) < since or not self._may_hold(connection, found, change):
            return changed
        now = to_microseconds(self._partners.clock())
        for path, reason in after.items():
            if path not in before and not _is_open(connection, found, change, path):
                row = _row(found, change.site_id, change.site, path, None, reason, change.seq, now)
                connection.execute(insert(removal), row)
                changed += 1
        return changed

    def _may_hold(self, connection: Connection, found: Partner, change: Transition) -> bool:
        """Return True if the partner may have got content of the site before the change."""
        if {"feed", "crawl"} & set(found.receives):
            return True
        exported = (
            select(export.c.id)
            .join_from(export_site, export)
            .where(
                export_site.c.site_id == change.site_id,
                export.c.partner_id == found.id,
                export.c.seq < change.seq,
            )
            .limit(1)
        )
        return connection.execute(exported).first() is not None

    def _read(self, statement: Select[Any]) -> list[Removal]:
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        ids = [row.id for row in rows]
        answers: dict[str, list[Answer]] = {id_: [] for id_ in ids}
        for start in range(0, len(ids), 500):
            wanted = removal_answer.c.removal_id.in_(ids[start : start + 500])
            with self._database.reading() as connection:
                found = connection.execute(
                    select(removal_answer).where(wanted).order_by(removal_answer.c.id)
                ).all()
            for row in found:
                answers[row.removal_id].append(_answer(row))
        return [_removal(row, answers[row.id]) for row in rows]


class _Closed:
    """The parts of a site that its policy closes to one partner, remembered by the policy's text."""

    def __init__(self, found: Partner) -> None:
        self._crawlers = found.crawlers
        self._known: BoundedCache[str, dict[str | None, str]] = BoundedCache(_REMEMBERED)

    def of(self, policy: str | None) -> dict[str | None, str]:
        """Return None for the whole site, or the path patterns that are closed; each with the reason."""
        if policy is None:
            return {}
        try:
            return self._known[policy]
        except KeyError:
            return self._known.keep(policy, self._read(policy_from_text(policy, "")))

    def _read(self, policy: SitePolicy) -> dict[str | None, str]:
        whole = entitlement(policy, self._crawlers)
        if whole.opted_out:
            return {None: "made-private" if whole.private else "opted-out"}
        return {
            pattern: "opted-out"
            for pattern, preferences in policy.path_preferences
            if preferences.disallows(Category.TRAIN_AI)
        }


def _is_open(connection: Connection, found: Partner, change: Transition, path: str | None) -> bool:
    statement = select(removal.c.id).where(*_same(found, change, path)).limit(1)
    return connection.execute(statement).first() is not None


def _same(found: Partner, change: Transition, path: str | None) -> tuple[ColumnElement[bool], ...]:
    return (
        removal.c.partner_id == found.id,
        removal.c.site_id == change.site_id,
        removal.c.posts.is_(None),
        removal.c.withdrawn.is_(None),
        removal.c.path.is_(None) if path is None else removal.c.path == path,
    )


def _withdraw(connection: Connection, found: Partner, change: Transition, path: str | None) -> int:
    statement = update(removal).where(*_same(found, change, path)).values(withdrawn=change.at)
    return int(connection.execute(statement).rowcount)


def _row(
    found: Partner,
    site_id: int,
    name: str,
    path: str | None,
    posts: list[str] | None,
    reason: str,
    seq: int,
    now: int,
) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "partner_id": found.id,
        "site_id": site_id,
        "site": name,
        "path": path,
        "posts": None if posts is None else json.dumps(posts),
        "reason": reason,
        "seq": seq,
        "opened": now,
        "due": now + found.deadline_days * _DAY,
    }


def _answer(row: Row[Any]) -> Answer:
    expected = row.expected_completion
    return Answer(
        from_microseconds(row.at),
        row.actor,
        row.obligation,
        row.outcome,
        row.reason,
        row.dataset_version,
        row.reference,
        date.fromisoformat(expected) if expected else None,
        row.digest,
    )


def _removal(row: Row[Any], answers: list[Answer]) -> Removal:
    return Removal(
        row.id,
        row.partner_name,
        row.site,
        row.path,
        None if row.posts is None else tuple(json.loads(row.posts)),
        row.reason,
        row.seq,
        from_microseconds(row.opened),
        from_microseconds(row.due),
        None if row.withdrawn is None else from_microseconds(row.withdrawn),
        tuple(answers),
    )
