"""The registry's tables, the same in every database.

``site`` and ``host`` are the current state. ``change`` is the append-only history: its numbers have no gap
and are in the order of the commits, because each is taken from the single row of ``sequence`` in the
transaction of its change. ``host_history`` records which site a host belonged to and since when, so that a
question about the past takes two index look-ups; a NULL site means none. ``meta`` identifies the database and
holds the checkpoints of interrupted imports.

Other modules and replicas rely on these names: changing them requires a new SCHEMA_VERSION.
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

# SQLite's INTEGER has 64 bits, and only a primary key of that type is the row's own id.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# Sorted by code points, as in SQLite and Python: other collations differ between servers.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    # schema_version, registry_id, import:FILE (import:- for a pipe); in a replica also replica_of, file
    Column("key", _TEXT, primary_key=True),
    Column("value", _TEXT, nullable=False),
)

sequence = Table(
    "sequence",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("seq", _NUMBER, nullable=False),  # the number of the latest change
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
    Column("site_id", _NUMBER, ForeignKey("site.id")),  # NULL: it belongs to no site from then on
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
