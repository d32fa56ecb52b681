"""What is in a replica's file: the registry's tables, and how far the replica is."""

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from aipolicy.registry import sqlite
from aipolicy.registry.schema import change, host, host_history, site

TABLES: tuple[Table, ...] = (site, host, host_history, change)
"""The large ones, which are copied row by row."""

APPLICATION_ID = 0x41695072
"""In the file's header: what has it is a follower's to replace, however damaged."""

FILE = "file"
"""The key in ``meta`` of the file's number on its disk: a copy has the number of another one."""

_DIALECT = dialect.dialect()

STATUS_TABLE = """CREATE TABLE replica (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,         -- the registry, without its password
    pid INTEGER NOT NULL,         -- of the follower
    source_seq INTEGER NOT NULL,  -- the registry's latest change, when it was last asked
    level_at INTEGER NOT NULL,    -- microseconds since the epoch: when all of its changes were here last
    trouble TEXT NOT NULL         -- what keeps the follower from following; empty: nothing
)"""

# A file with another table than this refuses it (NOT NULL), and is then filled anew.
NOTE = """INSERT OR REPLACE INTO replica (id, source, pid, source_seq, level_at, trouble)
    VALUES (1, ?, ?, ?, ?, ?)"""


def tables() -> list[str]:
    """The statements that make the tables; ``indexes`` are made when the rows are there."""
    made = (CreateTable(table).compile(dialect=_DIALECT) for table in site.metadata.sorted_tables)
    return [*map(str, made), STATUS_TABLE]


def indexes() -> list[str]:
    """Indexes, and the triggers that keep the history as it is."""
    made = (CreateIndex(index).compile(dialect=_DIALECT) for table in TABLES for index in table.indexes)
    return [*map(str, made), *sqlite.history_triggers()]
