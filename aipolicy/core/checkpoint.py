"""Which change a reader of the history knows last, so that it can tell whether the history is still that one.

The number alone doesn't say so. A registry that was restored from a backup, or a standby that was promoted
without the last changes, gives their numbers to other changes, and may be ahead of the reader again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self, TypeVar

COLUMNS = ("seq", "at", "actor", "site_id", "site", "policy", "hosts", "affected")
"""Of the table ``change``: all that is written of one, in the order in which its digest is made."""

Row = TypeVar("Row", bound=Sequence[object])


@dataclass(frozen=True, slots=True)
class Mark:
    """One change: its number, and a digest of all that is written of it. Without both: before the first;
    without a digest: one that isn't there, though it was counted."""

    seq: int = 0
    digest: str = ""

    @classmethod
    def of(cls, row: Sequence[object]) -> Self:
        """Of a row of COLUMNS, text as str or as UTF-8: the same whatever driver read it.

        A server makes the same digest (hexadecimal SHA-256 of the UTF-8 text, a column a line): a change may
        have megabytes, and it is looked at several times a second.
        """
        seq = row[0]
        if not (isinstance(seq, int) and seq):
            return cls()
        if row[-1] is None:
            return cls(seq)
        octets = (value if isinstance(value, bytes) else str(value).encode() for value in row)
        return cls(seq, sha256(b"\n".join(octets)).hexdigest())

    def behind(self, rows: Sequence[Row]) -> Sequence[Row] | None:
        """What follows this change in ``rows``, which are a history's from its number on.

        None: another change is in its place, or none. Then all that was read of that history must be anew.
        """
        if not self.seq:
            return rows
        return rows[1:] if rows and self.of(rows[0]) == self else None
