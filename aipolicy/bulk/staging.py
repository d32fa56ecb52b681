"""A private temporary database for the rows of an input file, until all of them are checked.

Memory use is constant, and a host in two rows is found. The rows are sorted by site name, the order of the
registry's indexes, in which they are stored several times as fast.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from graphlib import CycleError, TopologicalSorter
from types import TracebackType
from typing import Any, NamedTuple, Self

from aipolicy.bulk.rows import Row, SiteRow, strictest
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError, HostTakenError, PolicyError
from aipolicy.registry.changes import PolicyTexts, hosts_from_text, hosts_text
from aipolicy.registry.put_tables import HostConflict, Put
from aipolicy.registry.write import check_new_host, check_new_site
from aipolicy.robotstxt.merge import check_fits

_TABLES = """
PRAGMA journal_mode = OFF;
CREATE TABLE policy (id INTEGER PRIMARY KEY, text);
CREATE TABLE entry (id INTEGER PRIMARY KEY, site, number, policy, hosts);
CREATE TABLE further (host, entry);
CREATE TABLE bad_entry (id INTEGER PRIMARY KEY);
CREATE TABLE needs (entry, giver, PRIMARY KEY (entry, giver)) WITHOUT ROWID;
CREATE TABLE bad (number, error);
CREATE TABLE repeated (site PRIMARY KEY) WITHOUT ROWID;
"""
# Sorting once is ten times as fast as maintaining an index while rows are added.
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
_ROWS_OF_SITE = f"""
SELECT entry.id, number, text, hosts FROM entry JOIN policy ON policy.id = policy
WHERE site = ? AND {_GOOD} ORDER BY entry.id
"""  # noqa: S608 - no input
_GIVERS_OF = "SELECT giver FROM needs WHERE entry = ? ORDER BY giver"
_SITE_OF = "SELECT site, number FROM entry WHERE id = ?"
_GOOD_ROW = f"SELECT entry.id, number, hosts FROM entry WHERE site = ? AND {_GOOD}"  # noqa: S608

_LONGEST_ERROR = 500  # characters: a value may be as long as the file
_BUFFERED = 1000  # rows
_CACHED, _LONGEST = 4096, 4096  # policies, and characters of one


class StagedRow(NamedTuple):
    """A good row.

    Attributes:
        entry: Number, from 1, among the rows that could be read.
        in_place: False if it comes before its place, because another row needs a host of its site.
    """

    entry: int
    put: Put
    in_place: bool


class StagedRows:
    """The good and bad rows of an input. A context manager.

    Methods raise AIPolicyError if there is no room for the temporary database.

    Attributes:
        rows: Number of all rows.
        bad: Number of bad rows.
        entered: Number of rows that could be read.
    """

    def __init__(self) -> None:
        # Without a name it is on the disk only if it is large, and removed when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")
        self._texts = PolicyTexts()
        # By id(), which is faster than equality; the policy is kept, so that no other one gets its id.
        self._policies: BoundedCache[int, tuple[SitePolicy, int]] = BoundedCache(_CACHED)
        self._policy_count = 0
        self.entered = 0
        self._buffered: list[tuple[Any, ...]] = []
        self._buffered_hosts: list[tuple[str, int]] = []
        self.rows = self.bad = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, row: Row) -> None:
        """Add a row."""
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
        self._buffered.append((self.entered, outcome.site, number, policy, self._hosts(outcome)))
        if len(self._buffered) >= _BUFFERED:
            self._flush()

    def sort(self) -> None:
        """Sort the rows, once all are added, and find those that share a host.

        Two sites with the same host are both bad: it is unclear which one is meant. Of several rows of one
        site the first is good, made as strict as all of them together, so that no opt-out is lost.
        """
        self._flush()
        with _storage_errors():
            self._database.executescript(_SORT)  # which commits the transaction
            self._database.execute("BEGIN")
            first = first_number = 0
            before = first_site = None
            for host, entry, number, site in self._database.execute(_SHARING):
                if host != before:
                    before, first, first_number, first_site = host, entry, number, site
                elif site == first_site:
                    self._database.execute("INSERT OR IGNORE INTO repeated VALUES (?)", (site,))
                else:
                    message = f"rows {first_number} and {number} both have the host {host!r}: keep one"
                    self._mark_bad(first, first_number, PolicyError(message))
                    self._mark_bad(entry, number, PolicyError(message))
            for (site,) in self._database.execute("SELECT site FROM repeated"):
                self._keep_strictest(site)

    def _keep_strictest(self, site: str) -> None:
        """Merge all rows of a site into the first, with the strictest of their policies."""
        rows = self._database.execute(_ROWS_OF_SITE, (site,)).fetchall()
        if len(rows) < 2:
            return
        policies = [SitePolicy.from_dict(json.loads(text)) for text in dict.fromkeys(row[2] for row in rows)]
        hosts = [hosts_from_text(text) for *_, text in rows if text is not None]
        (first, first_number, _, _), *others = rows
        self._database.execute(
            "UPDATE entry SET policy = ?, hosts = ? WHERE id = ?",
            (
                self._policy_id(strictest(policies)),
                hosts_text(site, frozenset().union(*hosts)) if hosts else None,
                first,
            ),
        )
        fix = "keep one; --skip-bad stores the strictest of both"
        for entry, number, *_ in others:
            message = f"rows {first_number} and {number} both have the host {site!r}: {fix}"
            self._mark_bad(entry, number, PolicyError(message))

    def entries(self, after: str = "") -> Iterator[StagedRow]:
        """Yield the good rows of sites above ``after``, by name.

        A site that gives up hosts comes before each site that takes one, and in its own place again.
        """
        with _storage_errors():
            for entry, site, text, hosts, needs in self._database.execute(_ENTRIES, (after,)):
                if needs:
                    yield from self._givers(entry, {entry})
                yield StagedRow(entry, Put(site, text, hosts), True)

    def count(self, after: str = "") -> int:
        """Return the number of good rows of sites above ``after``."""
        with _storage_errors():
            select = f"SELECT count(*) FROM entry WHERE site > ? AND {_GOOD}"  # noqa: S608 - no input
            count: int = self._database.execute(select, (after,)).fetchone()[0]
            return count

    def resolve(self, conflict: HostConflict, *, gives: bool = True) -> bool:
        """Return True if a row removes the host from its owner; otherwise mark the site's row as bad.

        Args:
            gives: False if the owner's row no longer counts.
        """
        with _storage_errors():
            giver = self._database.execute(_GOOD_ROW, (conflict.owner,)).fetchone() if gives else None
            if giver and giver[2] is not None and conflict.host not in hosts_from_text(giver[2]):
                taker = self._database.execute(_GOOD_ROW, (conflict.site,)).fetchone()
                if taker:
                    self._database.execute("INSERT OR IGNORE INTO needs VALUES (?, ?)", (taker[0], giver[0]))
                return True
        try:
            if conflict.host == conflict.site:
                check_new_site(conflict.site, conflict.owner)
            else:
                check_new_host(conflict.host, conflict.owner, conflict.site)
        except HostTakenError as error:
            self.refuse(conflict.site, error)
        return False

    def refuse_cycles(self) -> None:
        """Mark rows as bad that need hosts of each other, or of a bad row: no order of puts works."""
        with _storage_errors():
            order: TopologicalSorter[int] = TopologicalSorter()
            takers = set()
            for entry, giver in self._database.execute("SELECT entry, giver FROM needs"):
                order.add(entry, giver)
                takers.add(entry)
            with suppress(CycleError):  # rows outside of cycles are still ordered
                order.prepare()
            while ready := [entry for entry in order.get_ready() if not self._is_bad(entry)]:
                takers.difference_update(ready)
                order.done(*ready)
            for entry in sorted(takers):
                site, number = self._database.execute(_SITE_OF, (entry,)).fetchone()
                fix = "import it separately, afterwards"
                message = f"{site!r} takes a host that another site doesn't give up first: {fix}"
                self._mark_bad(entry, number, PolicyError(message))

    def refuse(self, site: str, error: AIPolicyError) -> int:
        """Checkpoint the row of ``site`` as bad; return its number."""
        with _storage_errors():
            number: int
            entry, number = self._database.execute(
                "SELECT id, number FROM entry WHERE site = ?", (site,)
            ).fetchone()
            self._mark_bad(entry, number, error)
        return number

    def errors(self) -> Iterator[tuple[int, str]]:
        """Yield the number and the error of each bad row, by number."""
        with _storage_errors():
            yield from self._database.execute("SELECT number, error FROM bad ORDER BY number, rowid")

    def _hosts(self, entry: SiteRow) -> str | None:
        if entry.hosts is None:
            return None
        if entry.hosts:
            self._buffered_hosts += [(name, self.entered) for name in entry.hosts if name != entry.site]
        return hosts_text(entry.site, entry.hosts)

    def _flush(self) -> None:
        with _storage_errors():
            self._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", self._buffered)
            self._database.executemany("INSERT INTO further VALUES (?, ?)", self._buffered_hosts)
        self._buffered.clear()
        self._buffered_hosts.clear()

    def _givers(self, entry: int, before: set[int]) -> Iterator[StagedRow]:
        for (giver,) in self._database.execute(_GIVERS_OF, (entry,)).fetchall():
            if giver not in before:  # two givers may need the same one
                before.add(giver)
                yield from self._givers(giver, before)
                yield StagedRow(giver, Put(*self._database.execute(_ENTRY, (giver,)).fetchone()), False)

    def _is_bad(self, entry: int) -> bool:
        return self._database.execute("SELECT 1 FROM bad_entry WHERE id = ?", (entry,)).fetchone() is not None

    def _mark_bad(self, entry: int, number: int, error: AIPolicyError) -> None:
        if self._database.execute("INSERT OR IGNORE INTO bad_entry VALUES (?)", (entry,)).rowcount:
            self._bad(number, error)

    def _bad(self, number: int, error: AIPolicyError) -> None:
        self.bad += 1
        text = str(error)
        if len(text) > _LONGEST_ERROR:
            text = f"{text[: _LONGEST_ERROR // 2]} ... {text[-_LONGEST_ERROR // 2 :]}"
        text = text.encode("utf-8", "backslashreplace").decode()
        with _storage_errors():
            self._database.execute("INSERT INTO bad VALUES (?, ?)", (number, text))

    def _policy_id(self, policy: SitePolicy) -> int:
        """Store the policy once and return its number. Raises RobotsTooLargeError."""
        known = self._policies.get(id(policy))
        if known is None:
            text = self._texts.text_of(policy)
            check_fits(policy)
            self._policy_count += 1
            with _storage_errors():
                self._database.execute("INSERT INTO policy VALUES (?, ?)", (self._policy_count, text))
            known = policy, self._policy_count
            if len(text) <= _LONGEST:
                self._policies.keep(id(policy), known)
        return known[1]


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        fix = "free space in the directory TMPDIR or SQLITE_TMPDIR (else /var/tmp), or set it to another one"
        raise AIPolicyError(f"the temporary file for the rows can't be written ({error}): {fix}") from error
