"""The last change that a reader of the history has read, by which it detects a replaced history.

The number alone isn't enough. A registry that was restored from a backup, or a standby that was promoted
without the last changes, gives their numbers to other changes, and may be ahead of the reader again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self, TypeVar

COLUMNS = ("seq", "at", "actor", "site_id", "site", "policy", "hosts", "affected")
"""The columns of the table ``change`` in the order in which the digest is computed."""

Row = TypeVar("Row", bound=Sequence[object])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The number and the digest of a change in the history.

    Attributes:
        seq: Its number; 0 for the state before the first change.
        digest: A digest of its row; empty for a number without a row.
    """

    seq: int = 0
    digest: str = ""

    @classmethod
    def from_row(cls, row: Sequence[object]) -> Self:
        """Return the checkpoint of a row of ``COLUMNS``; its text may be str or UTF-8.

        PostgreSQL computes the same digest (hexadecimal SHA-256 of the UTF-8 text, one column per line),
        because a change may have megabytes and is compared several times a second.
        """
        seq = row[0]
        if not (isinstance(seq, int) and seq):
            return cls()
        if row[-1] is None:
            return cls(seq)
        columns = (value if isinstance(value, bytes) else str(value).encode() for value in row)
        return cls(seq, sha256(b"\n".join(columns)).hexdigest())

    def changes_after(self, rows: Sequence[Row]) -> Sequence[Row] | None:
        """Return the changes after this one in ``rows``, a part of a history that begins with its number.

        None means that another change, or none, has this number: then the history must be read from its
        beginning.
        """
        if not self.seq:
            return rows
        return rows[1:] if rows and self.from_row(rows[0]) == self else None
