"""What was read of a file, kept until all of it is known to be good: a private temporary database.

Memory stays flat however many rows there are, a host that two rows name is found, and the rows come out by
name: a database takes them several times as fast in the order of its indexes.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from graphlib import CycleError, TopologicalSorter
from types import TracebackType
from typing import Any, NamedTuple, Self

from aipolicy.bulk.rows import Entry, Row, strictest
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError, HostTakenError, PolicyError
from aipolicy.registry.changes import PolicyTexts, hosts_of_text, hosts_text
from aipolicy.registry.staging import Claim, Put
from aipolicy.registry.write import refuse_taken, refuse_to_be_a_site
from aipolicy.robotstxt.merge import check_fits

_TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE policy (id INTEGER PRIMARY KEY, text);
CREATE TABLE entry (id INTEGER PRIMARY KEY, site, number, policy, hosts);
CREATE TABLE further (host, entry);
CREATE TABLE bad_entry (id INTEGER PRIMARY KEY);
CREATE TABLE needs (entry, giver, PRIMARY KEY (entry, giver)) WITHOUT ROWID;
CREATE TABLE bad (number, error);
CREATE TABLE again (site PRIMARY KEY) WITHOUT ROWID;
"""
# Sorting once is ten times as fast as keeping an index while rows come.
_SORT = """
CREATE INDEX entry_by_site ON entry (site, number, policy, hosts);
CREATE INDEX further_by_host ON further (host, entry);
CREATE TABLE shared AS
    SELECT site AS host FROM entry GROUP BY site HAVING count(*) > 1
    UNION SELECT host FROM further GROUP BY host HAVING count(*) > 1
    UNION SELECT host FROM further JOIN entry ON site = host;
"""
_SHARING = """
SELECT shared.host, entry.id, number, site FROM shared CROSS JOIN entry ON site = shared.host
UNION ALL
SELECT shared.host, entry.id, number, site FROM shared CROSS JOIN further ON further.host = shared.host
    JOIN entry ON entry.id = further.entry
ORDER BY 1, 2
"""
_GOOD = "NOT EXISTS (SELECT 1 FROM bad_entry WHERE bad_entry.id = entry.id)"
_ENTRIES = f"""
SELECT entry.id, site, text, hosts, EXISTS (SELECT 1 FROM needs WHERE needs.entry = entry.id)
FROM entry JOIN policy ON policy.id = policy WHERE site > ? AND {_GOOD} ORDER BY site
"""  # noqa: S608 - no input
_ENTRY = "SELECT site, text, hosts FROM entry JOIN policy ON policy.id = policy WHERE entry.id = ?"
_AGAIN = f"""
SELECT entry.id, number, text, hosts FROM entry JOIN policy ON policy.id = policy
WHERE site = ? AND {_GOOD} ORDER BY entry.id
"""  # noqa: S608 - no input
_GIVERS = "SELECT giver FROM needs WHERE entry = ? ORDER BY giver"
_NAMED = "SELECT site, number FROM entry WHERE id = ?"
_OF_SITE = f"SELECT entry.id, number, hosts FROM entry WHERE site = ? AND {_GOOD}"  # noqa: S608

_LONGEST_ERROR = 500  # characters: the culprit may be a whole file
_AT_ONCE = 1000  # rows
_REMEMBERED, _LONGEST = 4096, 4096  # policies, and characters in one


class Spooled(NamedTuple):
    """A good row; ``entry`` numbers them from 1. ``in_place``: not early, for another one's sake."""

    entry: int
    put: Put
    in_place: bool


class Spool:
    """The good rows and the bad ones. A context manager. Raises AIPolicyError where there is no room."""

    def __init__(self) -> None:
        self._kept = sqlite3.connect("", isolation_level=None)  # on disk where it is large, gone with us
        self._kept.executescript(_TABLES)
        self._kept.execute("BEGIN")
        self._texts = PolicyTexts()
        # By identity, which costs less than equality; and the policy, so that no other one takes its place.
        self._policies: Memo[int, tuple[SitePolicy, int]] = Memo(_REMEMBERED)
        self._numbered = 0
        self.entered = 0
        self._waiting: list[tuple[Any, ...]] = []
        self._waiting_hosts: list[tuple[str, int]] = []
        self.rows = self.bad = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.close()

    @property
    def good(self) -> int:
        """How many rows there are to put."""
        return self.rows - self.bad

    def add(self, row: Row) -> None:
        """Keep a row."""
        number, outcome = row
        self.rows += 1
        try:
            if isinstance(outcome, AIPolicyError):
                raise outcome
            policy = self._policy_id(outcome.policy)
        except AIPolicyError as error:
            self._bad(number, error)
            return
        self.entered += 1
        self._waiting.append((self.entered, outcome.site, number, policy, self._hosts(outcome)))
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def sort(self) -> None:
        """All rows are there. Of two sites with one host neither is good: which is meant can't be known.

        Of two rows of one site the first is, made as strict as all of them together: a no is never lost.
        """
        self._flush()
        with _told():
            self._kept.executescript(_SORT)  # which commits what was begun
            self._kept.execute("BEGIN")
            first = first_number = 0
            before = first_site = None
            for host, entry, number, site in self._kept.execute(_SHARING):
                if host != before:
                    before, first, first_number, first_site = host, entry, number, site
                elif site == first_site:
                    self._kept.execute("INSERT OR IGNORE INTO again VALUES (?)", (site,))
                else:
                    said = f"rows {first_number} and {number} both have the host {host!r}: keep one"
                    self._spoil(first, first_number, PolicyError(said))
                    self._spoil(entry, number, PolicyError(said))
            for (site,) in self._kept.execute("SELECT site FROM again"):
                self._keep_strictest(site)

    def _keep_strictest(self, site: str) -> None:
        """Make one row of all of the site's: the first, with every no of any."""
        rows = self._kept.execute(_AGAIN, (site,)).fetchall()
        if len(rows) < 2:
            return
        policies = [SitePolicy.from_dict(json.loads(text)) for text in dict.fromkeys(row[2] for row in rows)]
        hosts = [hosts_of_text(text) for *_, text in rows if text is not None]
        (first, first_number, _, _), *others = rows
        self._kept.execute(
            "UPDATE entry SET policy = ?, hosts = ? WHERE id = ?",
            (
                self._policy_id(strictest(policies)),
                hosts_text(site, frozenset().union(*hosts)) if hosts else None,
                first,
            ),
        )
        kept = "keep one; the strictest of both is what --skip-bad stores"
        for entry, number, *_ in others:
            said = f"rows {first_number} and {number} both have the host {site!r}: {kept}"
            self._spoil(entry, number, PolicyError(said))

    def entries(self, after: str = "") -> Iterator[Spooled]:
        """What is to be put, of sites above ``after``, by name.

        A site that gives hosts to others comes before each of them, and in its own place again.
        """
        with _told():
            for entry, site, text, hosts, needs in self._kept.execute(_ENTRIES, (after,)):
                if needs:
                    yield from self._givers(entry, {entry})
                yield Spooled(entry, Put(site, text, hosts), True)

    def count(self, after: str = "") -> int:
        """How many rows are to be put, of sites above ``after``."""
        with _told():
            select = f"SELECT count(*) FROM entry WHERE site > ? AND {_GOOD}"  # noqa: S608 - no input
            count: int = self._kept.execute(select, (after,)).fetchone()[0]
            return count

    def has(self, site: str) -> bool:
        """Whether there is a row of ``site``, good or bad."""
        with _told():
            return self._kept.execute("SELECT 1 FROM entry WHERE site = ?", (site,)).fetchone() is not None

    def settle(self, claim: Claim, *, gives: bool = True) -> bool:
        """A site of ours is to have a host that another one has: whether that one gives it up, in a row here.

        Where it doesn't, or no longer ``gives`` anything, the row is a bad one.
        """
        with _told():
            giver = self._kept.execute(_OF_SITE, (claim.owner,)).fetchone() if gives else None
            if giver and giver[2] is not None and claim.host not in hosts_of_text(giver[2]):
                taker = self._kept.execute(_OF_SITE, (claim.site,)).fetchone()
                if taker:
                    self._kept.execute("INSERT OR IGNORE INTO needs VALUES (?, ?)", (taker[0], giver[0]))
                return True
        try:
            if claim.host == claim.site:
                refuse_to_be_a_site(claim.site, claim.owner)
            else:
                refuse_taken(claim.host, claim.owner, claim.site)
        except HostTakenError as error:
            self.refuse(claim.site, error)
        return False

    def refuse_circles(self) -> None:
        """Sites that wait for each other's hosts, or for one whose row is bad, can't be put in any order."""
        with _told():
            order: TopologicalSorter[int] = TopologicalSorter()
            takers = set()
            for entry, giver in self._kept.execute("SELECT entry, giver FROM needs"):
                order.add(entry, giver)
                takers.add(entry)
            with suppress(CycleError):  # it goes on with what is in none
                order.prepare()
            while ready := [entry for entry in order.get_ready() if not self._is_bad(entry)]:
                takers.difference_update(ready)
                order.done(*ready)
            for entry in sorted(takers):
                site, number = self._kept.execute(_NAMED, (entry,)).fetchone()
                said = f"{site!r} takes a host that its site can't give up before: take it in another import"
                self._spoil(entry, number, PolicyError(said))

    def refuse(self, site: str, error: AIPolicyError) -> int:
        """The row of ``site`` can't be put: it is a bad one, with this number."""
        with _told():
            number: int
            entry, number = self._kept.execute(
                "SELECT id, number FROM entry WHERE site = ?", (site,)
            ).fetchone()
            self._spoil(entry, number, error)
        return number

    def errors(self) -> Iterator[tuple[int, str]]:
        """Number and error of each bad row, by number."""
        with _told():
            yield from self._kept.execute("SELECT number, error FROM bad ORDER BY number, rowid")

    def _hosts(self, entry: Entry) -> str | None:
        if entry.hosts is None:
            return None
        if entry.hosts:
            self._waiting_hosts += [(name, self.entered) for name in entry.hosts if name != entry.site]
        return hosts_text(entry.site, entry.hosts)

    def _flush(self) -> None:
        with _told():
            self._kept.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", self._waiting)
            self._kept.executemany("INSERT INTO further VALUES (?, ?)", self._waiting_hosts)
        self._waiting.clear()
        self._waiting_hosts.clear()

    def _givers(self, entry: int, before: set[int]) -> Iterator[Spooled]:
        for (giver,) in self._kept.execute(_GIVERS, (entry,)).fetchall():
            if giver not in before:  # two givers may need the same one
                before.add(giver)
                yield from self._givers(giver, before)
                yield Spooled(giver, Put(*self._kept.execute(_ENTRY, (giver,)).fetchone()), False)

    def _is_bad(self, entry: int) -> bool:
        return self._kept.execute("SELECT 1 FROM bad_entry WHERE id = ?", (entry,)).fetchone() is not None

    def _spoil(self, entry: int, number: int, error: AIPolicyError) -> None:
        if self._kept.execute("INSERT OR IGNORE INTO bad_entry VALUES (?)", (entry,)).rowcount:
            self._bad(number, error)

    def _bad(self, number: int, error: AIPolicyError) -> None:
        self.bad += 1
        text = str(error)
        if len(text) > _LONGEST_ERROR:
            text = f"{text[: _LONGEST_ERROR // 2]} ... {text[-_LONGEST_ERROR // 2 :]}"
        text = text.encode("utf-8", "backslashreplace").decode()
        with _told():
            self._kept.execute("INSERT INTO bad VALUES (?, ?)", (number, text))

    def _policy_id(self, policy: SitePolicy) -> int:
        """Raises RobotsTooLargeError: what can't be served must not be stored."""
        known = self._policies.get(id(policy))
        if known is None:
            text = self._texts.of(policy)
            check_fits(policy)
            self._numbered += 1
            with _told():
                self._kept.execute("INSERT INTO policy VALUES (?, ?)", (self._numbered, text))
            known = policy, self._numbered
            if len(text) <= _LONGEST:
                self._policies.keep(id(policy), known)
        return known[1]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        fix = "make room where TMPDIR or SQLITE_TMPDIR points (else /var/tmp), or let them point elsewhere"
        raise AIPolicyError(f"the rows can't be kept in a temporary file ({error}): {fix}") from error
