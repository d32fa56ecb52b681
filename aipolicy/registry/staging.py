"""Puts in temporary tables, where the database itself tells what they change and writes that.

A row costs a tenth of what it does where each is fetched, thought about and sent back. Only what each put
changes by itself can be told so: where hosts move between the sites of a registry, the order counts, and
``putting_many`` goes through them one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from aipolicy.registry import postgres
from aipolicy.registry.changes import hosts_of_text


class Put(NamedTuple):
    """A site, what it declares (``policy_text``), all of its hosts (``hosts_text``; None: those it has)."""

    site: str
    policy: str
    hosts: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of some puts: each made a site or a change, or left a site as it was."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """How many puts make a site or change one; ``tricky``: some move hosts of sites that are there."""

    new: int
    changed: int
    tricky: bool


class Claim(NamedTuple):
    """``site`` is to have a host that the site ``owner`` has."""

    site: str
    host: str
    owner: str


_TABLES = (
    "aipolicy_put (n INTEGER PRIMARY KEY, site TEXT{c}, policy TEXT{c}, hosts TEXT{c})",
    "aipolicy_put_host (n INTEGER, host TEXT{c})",
    # Those that change something, with the number that the change gets. New sites are counted in site_id.
    "aipolicy_pending (n INTEGER PRIMARY KEY, seq BIGINT, site_id BIGINT, fresh INTEGER, tricky INTEGER, "
    "site TEXT{c}, policy TEXT{c}, hosts TEXT{c})",
)
_KNOWN = """
    FROM aipolicy_put i
    LEFT JOIN host h ON h.host = i.site
    LEFT JOIN site s ON s.id = h.site_id
    LEFT JOIN change c ON c.seq = s.seq
"""
_CHANGES = "(s.id IS NULL OR s.name <> i.site OR s.policy <> i.policy OR i.hosts <> c.hosts)"  # or NULL: not
_COMPARE = text(f"""
    SELECT i.n, CASE WHEN s.id IS NULL OR s.name <> i.site THEN 1 ELSE 0 END AS fresh
    {_KNOWN} WHERE {_CHANGES}
""")
# Hosts that other sites have.
_CLAIMS = text("""
    SELECT i.site, i.site AS host, s.name AS owner FROM aipolicy_put i
    JOIN host h ON h.host = i.site JOIN site s ON s.id = h.site_id WHERE s.name <> i.site
    UNION ALL
    SELECT i.site, f.host, s.name FROM aipolicy_put_host f JOIN aipolicy_put i ON i.n = f.n
    JOIN host h ON h.host = f.host JOIN site s ON s.id = h.site_id WHERE s.name <> i.site
""")
# In what a site says of its hosts a canonical one needs no escape.
_PENDING = """
    INSERT INTO aipolicy_pending (n, seq, site_id, fresh, tricky, site, policy, hosts)
    SELECT i.n, CAST(:last AS BIGINT) + row_number() OVER in_order,
           coalesce(s.id, sum(CASE WHEN s.id IS NULL THEN 1 ELSE 0 END) OVER in_order),
           CASE WHEN s.id IS NULL THEN 1 ELSE 0 END,
           CASE WHEN s.name <> i.site OR i.hosts <> c.hosts THEN 1 ELSE 0 END,
           i.site, i.policy, coalesce(i.hosts, c.hosts, '["' || i.site || '"]')
"""
_IN_ORDER = "WINDOW in_order AS (ORDER BY i.n ROWS UNBOUNDED PRECEDING)"
_SORT_OUT = text(f"{_PENDING} {_KNOWN} WHERE {_CHANGES} {_IN_ORDER}")
# Subqueries, because a join may begin at any of the three tables.
_TAKEN = text("""
    SELECT 1 FROM aipolicy_put_host f
    WHERE (SELECT site_id FROM host WHERE host.host = f.host) IS NOT NULL
    AND (SELECT fresh FROM aipolicy_pending p WHERE p.n = f.n) = 1 LIMIT 1
""")
_COUNTED = text("""
    SELECT count(*) AS changing, coalesce(sum(fresh), 0) AS fresh, coalesce(max(tricky), 0) AS tricky
    FROM aipolicy_pending
""")
_PLACES = text("SELECT n FROM aipolicy_pending ORDER BY n")
_RESET = text("""
    UPDATE site SET policy = p.policy, seq = p.seq FROM aipolicy_pending p
    WHERE site.id = p.site_id AND p.fresh = 0
""")
# A new site's id is the one that the database would give it: nobody else makes any meanwhile.
_ID = "site_id + fresh * CAST(:before AS BIGINT)"
_NEW_SITES = text(f"""
    INSERT INTO site (id, name, policy, seq)
    SELECT {_ID}, site, policy, seq FROM aipolicy_pending WHERE fresh = 1 ORDER BY seq
""")  # noqa: S608 - no input, here and below
_NEXT_ID = text("SELECT nextval(pg_get_serial_sequence('site', 'id'))")
_LAST_ID = text("SELECT setval(pg_get_serial_sequence('site', 'id'), :id)")
_HIGHEST_ID = text("SELECT max(id) FROM site")
_OWN_HOSTS = f"SELECT site AS host, seq, {_ID} AS id FROM aipolicy_pending WHERE fresh = 1"  # noqa: S608
_FURTHER_HOSTS = f"""SELECT f.host, seq, {_ID} AS id
    FROM aipolicy_put_host f JOIN aipolicy_pending p ON p.n = f.n AND p.fresh = 1"""  # noqa: S608
_GIVE, _MOVE = (
    [
        text(f"INSERT INTO {table} SELECT {columns} FROM ({hosts}) AS given")  # noqa: S608
        for hosts in (_OWN_HOSTS, _FURTHER_HOSTS)
    ]
    for table, columns in (
        ("host (host, site_id)", "host, id"),
        ("host_history (host, at, seq, site_id)", "host, CAST(:at AS BIGINT), seq, id"),
    )
)
_CHANGE = text(f"""
    INSERT INTO change (seq, at, actor, site_id, site, policy, hosts, affected)
    SELECT seq, :at, :actor, {_ID}, site, policy, hosts, hosts FROM aipolicy_pending ORDER BY seq
""")  # noqa: S608


class Staging:
    """The temporary tables, for the transaction that ``connection`` is in."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._used = connection, False
        self._postgres = connection.dialect.name == "postgresql"
        for table in _TABLES:
            if self._postgres:
                made = table.format(c=' COLLATE "C"')
                connection.exec_driver_sql(f"CREATE TEMP TABLE {made} ON COMMIT DROP")
            else:  # made once: the connection keeps it
                connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {table.format(c='')}")
        if self._postgres:
            # It knows nothing of a table just made, and would read all of a large one to join a small one.
            connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
            connection.exec_driver_sql("SET LOCAL enable_mergejoin = off")

    def fill(self, puts: Sequence[Put]) -> None:
        """Take these instead of those before. No host may be in two of them."""
        if self._used or not self._postgres:
            empty = "TRUNCATE" if self._postgres else "DELETE FROM"  # what is deleted there would pile up
            for table in ("aipolicy_put", "aipolicy_put_host", "aipolicy_pending"):
                self._connection.exec_driver_sql(f"{empty} {table}")
        self._used = True
        self._insert("aipolicy_put", [(n, *put) for n, put in enumerate(puts)])
        self._insert("aipolicy_put_host", [(n, name) for n, put in enumerate(puts) for name in further(put)])

    def compare(self) -> dict[int, bool]:
        """The places of those that change something, and whether that makes a site."""
        return {row.n: bool(row.fresh) for row in self._connection.execute(_COMPARE)}

    def claims(self) -> list[Claim]:
        """The hosts that other sites have."""
        return [Claim(*row) for row in self._connection.execute(_CLAIMS)]

    def sort_out(self, last: int) -> Pending:
        """Number those that change something, from ``last`` on."""
        self._connection.execute(_SORT_OUT, {"last": last})
        found = self._connection.execute(_COUNTED).one()
        tricky = bool(found.tricky or self._connection.execute(_TAKEN).first())
        return Pending(found.fresh, found.changing - found.fresh, tricky)

    def pending(self) -> list[int]:
        """The places of those that were sorted out, in their order."""
        return list(self._connection.execute(_PLACES).scalars())

    def write(self, pending: Pending, *, at: int, by: str) -> None:
        """Write the changes of those that were sorted out, and what is so since."""
        if pending.changed:
            self._connection.execute(_RESET)
        values = {"at": at, "actor": by, "before": self._take_ids(pending.new)}
        if pending.new:
            for statement in (_NEW_SITES, *_GIVE, *_MOVE):
                self._connection.execute(statement, values)
        self._connection.execute(_CHANGE, values)

    def _take_ids(self, count: int) -> int:
        """The id before those that ``count`` new sites get."""
        if self._postgres and count:
            before: int = self._connection.execute(_NEXT_ID).scalar_one() - 1
            self._connection.execute(_LAST_ID, {"id": before + count})
            return before
        return self._connection.execute(_HIGHEST_ID).scalar() or 0

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        if self._postgres:
            postgres.copy(self._connection, table, rows)
        else:
            values = ", ".join("?" * len(rows[0]))
            self._connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({values})", rows)  # noqa: S608


def further(put: Put) -> list[str]:
    """The hosts beside the site's own name."""
    return hosts_of_text(put.hosts)[1:] if put.hosts and "," in put.hosts else []
