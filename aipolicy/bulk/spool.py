"""What was read of a file, kept until all of it is known to be good: a private temporary database.

Memory stays flat however many rows there are, a host that two rows name is found, and the registry is
locked for its writing alone.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from aipolicy.bulk.rows import Row
from aipolicy.core.memo import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import render
from aipolicy.errors import AIPolicyError, PolicyError, RobotsTooLargeError
from aipolicy.registry.changes import PolicyTexts, read_policy

_TABLES = """
CREATE TABLE policy (id INTEGER PRIMARY KEY, text UNIQUE);
CREATE TABLE entry (id INTEGER PRIMARY KEY, number, site, policy, hosts, good DEFAULT 1);
CREATE TABLE host (host PRIMARY KEY, entry) WITHOUT ROWID;
CREATE TABLE bad (number, error);
"""
_LONGEST_ERROR = 500  # characters: the culprit may be a whole file
_REMEMBERED = 4096  # distinct policies


class Spool:
    """The good rows and the bad ones. A context manager."""

    def __init__(self) -> None:
        self._kept = sqlite3.connect("", isolation_level=None)  # on disk where it is large, gone with us
        self._kept.executescript(_TABLES)
        self._kept.execute("BEGIN")
        self._texts = PolicyTexts()
        self._ids: Memo[str, int] = Memo(_REMEMBERED)
        self._policies: Memo[str, SitePolicy] = Memo(_REMEMBERED)
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
        """Keep a row. Of two rows with one host neither is good: which of them is meant can't be known."""
        number, outcome = row
        self.rows += 1
        if isinstance(outcome, AIPolicyError):
            self._bad(number, outcome)
            return
        try:
            policy = self._policy_id(outcome.policy)
        except RobotsTooLargeError as error:  # one that can't be served must not be stored
            self._bad(number, error)
            return
        names = {outcome.policy.site, *(outcome.hosts or ())}
        taken = self._taken(sorted(names))
        if taken:
            self._twice(*taken, number)
            return
        hosts = None if outcome.hosts is None else json.dumps(sorted(outcome.hosts))
        insert = "INSERT INTO entry (number, site, policy, hosts) VALUES (?, ?, ?, ?)"
        entry = self._kept.execute(insert, (number, outcome.policy.site, policy, hosts)).lastrowid
        self._kept.executemany("INSERT INTO host VALUES (?, ?)", ((name, entry) for name in names))

    def entries(self) -> Iterator[tuple[SitePolicy, list[str] | None]]:
        """What is to be put, in the order of the file."""
        select = """
            SELECT site, text, hosts FROM entry JOIN policy ON policy.id = policy
            WHERE good ORDER BY entry.id
        """
        for site, text, hosts in self._kept.execute(select):
            yield self._policy(text).for_site(site), None if hosts is None else json.loads(hosts)

    def refuse(self, site: str, error: AIPolicyError) -> None:
        """The row of ``site`` can't be put: it is a bad one."""
        query = "SELECT number FROM entry JOIN host ON entry = id WHERE host = ?"
        (number,) = self._kept.execute(query, (site,)).fetchone()
        self._bad(number, error)

    def errors(self) -> Iterator[tuple[int, str]]:
        """Number and error of each bad row, in the order in which they were found."""
        yield from self._kept.execute("SELECT number, error FROM bad ORDER BY rowid")

    def _bad(self, number: int, error: AIPolicyError) -> None:
        self.bad += 1
        text = str(error)
        if len(text) > _LONGEST_ERROR:
            text = f"{text[: _LONGEST_ERROR // 2]} ... {text[-_LONGEST_ERROR // 2 :]}"
        text = text.encode("utf-8", "backslashreplace").decode()
        self._kept.execute("INSERT INTO bad VALUES (?, ?)", (number, text))

    def _taken(self, names: Iterable[str]) -> tuple[str, int] | None:
        for name in names:
            found = self._kept.execute("SELECT entry FROM host WHERE host = ?", (name,)).fetchone()
            if found:
                return name, found[0]
        return None

    def _twice(self, host: str, entry: int, number: int) -> None:
        query = "SELECT number, good FROM entry WHERE id = ?"
        first, good = self._kept.execute(query, (entry,)).fetchone()
        error = PolicyError(f"rows {first} and {number} both have the host {host!r}: keep one")
        if good:
            self._kept.execute("UPDATE entry SET good = 0 WHERE id = ?", (entry,))
            self._bad(first, error)
        self._bad(number, error)

    def _policy_id(self, policy: SitePolicy) -> int:
        text = self._texts.of(policy)
        if text not in self._ids:
            render(policy)
            self._kept.execute("INSERT OR IGNORE INTO policy (text) VALUES (?)", (text,))
            (found,) = self._kept.execute("SELECT id FROM policy WHERE text = ?", (text,)).fetchone()
            self._ids.keep(text, found)
        return self._ids[text]

    def _policy(self, text: str) -> SitePolicy:
        if text not in self._policies:
            self._policies.keep(text, read_policy(text, ""))
        return self._policies[text]
