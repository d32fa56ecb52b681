"""Which change a reader of the history knows last, so that it can tell whether the history is still that one.

The number alone doesn't say so. A registry that was restored from a backup, or a standby that was promoted
without the last changes, gives their numbers to other changes, and may be ahead of the reader again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self, TypeVar

Row = TypeVar("Row", bound=Sequence[object])


@dataclass(frozen=True, slots=True)
class Mark:
    """One change: its number, and a digest of all that is written of it. Without both: before the first."""

    seq: int = 0
    digest: str = ""

    @classmethod
    def of(cls, row: Sequence[object]) -> Self:
        """Of a row of the table ``change``, text as str or as UTF-8: the same whatever driver read it."""
        seq = row[0]
        if not (isinstance(seq, int) and seq):
            return cls()
        octets = (value if isinstance(value, bytes) else str(value).encode() for value in row)
        return cls(seq, blake2b(b"\0".join(octets), digest_size=12).hexdigest())

    def behind(self, rows: Sequence[Row]) -> Sequence[Row] | None:
        """What follows this change in ``rows``, which are a history's from its number on.

        None: another change is in its place, or none. Then all that was read of that history must be anew.
        """
        if not self.seq:
            return rows
        return rows[1:] if rows and self.of(rows[0]) == self else None
