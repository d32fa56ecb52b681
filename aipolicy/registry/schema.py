"""The registry's tables, the same in every database.

``site`` and ``host`` are the state now. ``change`` is all that ever happened, append-only: its numbers have
no gap and stand in the order of the commits, because each is taken from the one row of ``sequence`` in the
transaction of its change. ``host_history`` says whose a host was and since when, so that a question about
the past is two index look-ups; no site means that nobody had it any more. ``meta`` says what and whose this
database is, and how far an import is that was not finished.

Readers in other modules (and replicas) rely on these names: a change of them is a new SCHEMA_VERSION.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

SCHEMA_VERSION = "1"

# SQLite's INTEGER has 64 bits, and only under that name is a primary key the row's own id.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# In the order of the code points, as SQLite and Python sort: another one would differ between servers.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    # schema_version, registry_id, import:FILE, import:- DIGEST of a pipe; in a replica replica_of
    Column("key", _TEXT, primary_key=True),
    Column("value", _TEXT, nullable=False),
)

sequence = Table(
    "sequence",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("seq", _NUMBER, nullable=False),  # the last number given
)

site = Table(
    "site",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("name", _TEXT, nullable=False, unique=True),  # the canonical host
    Column("policy", _TEXT, nullable=False),  # JSON without site and preset: equal policies are equal text
    Column("seq", _NUMBER, nullable=False),  # its latest change
)

host = Table(
    "host",
    metadata,
    Column("host", _TEXT, primary_key=True),  # the site's own name is one of them
    Column("site_id", _NUMBER, ForeignKey("site.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

host_history = Table(
    "host_history",
    metadata,
    Column("host", _TEXT, primary_key=True),
    Column("at", _NUMBER, primary_key=True, autoincrement=False),  # as in change
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("site_id", _NUMBER, ForeignKey("site.id")),  # NULL: nobody's from then on
    sqlite_with_rowid=False,
)

change = Table(
    "change",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", _NUMBER, nullable=False),  # microseconds since the epoch, UTC; never falls as seq rises
    Column("actor", _TEXT, nullable=False),
    Column("site_id", _NUMBER, nullable=False),
    Column("site", _TEXT, nullable=False),
    Column("policy", _TEXT, nullable=False),
    Column("hosts", _TEXT, nullable=False),  # JSON array: all hosts of the site after the change
    Column("affected", _TEXT, nullable=False),  # JSON array: the hosts before and after it
    Index("ix_change_site_id_at_seq", "site_id", "at", "seq"),
)
