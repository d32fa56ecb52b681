"""Text that arrives in pieces, read token by token."""

import re
from collections.abc import Iterable

from aipolicy.errors import AIPolicyError

_LONGEST = 64 * 1024 * 1024  # characters in one token: more is a quote that is never closed
_AHEAD = 256  # at least so much is at hand where a token begins: keywords and numbers are never cut


class SQLText:
    """A window over the text. ``take`` reads on where a token may not be whole yet."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._window = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def take(
        self, pattern: re.Pattern[str], *, opening: re.Pattern[str] | None = None
    ) -> re.Match[str] | None:
        """Match ``pattern`` here and go behind it; None where it doesn't match.

        ``opening`` is the beginning of a token of any length: where it matches and ``pattern`` does not, the
        token's end is still to come.
        """
        while True:
            if len(self._window) - self._at < _AHEAD and not self._ended:
                self._read_on()
            match = pattern.match(self._window, self._at)
            if match is None:
                cut = opening is not None and opening.match(self._window, self._at) is not None
            else:
                cut = match.end() == len(self._window)  # more of it may come
            if not cut or self._ended:
                break
            self._read_on()
        if match is not None:
            self._go(match.end())
        return match

    def drop(self, pattern: re.Pattern[str]) -> bool:
        """Go behind what matches ``pattern``, of which any part is as good as the whole."""
        self.next(_AHEAD)
        match = pattern.match(self._window, self._at)
        if match is None:
            return False
        self._go(match.end())
        return True

    def peek(self, sign: str) -> bool:
        """Whether one character is next."""
        return self.next(1) == sign

    def next(self, count: int) -> str:
        """The next characters, without going behind them."""
        while len(self._window) - self._at < count and not self._ended:
            self._read_on()
        return self._window[self._at : self._at + count]

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return not self.next(1)

    def _go(self, to: int) -> None:
        self.line += self._window.count("\n", self._at, to)
        self._at = to

    def _read_on(self) -> None:
        """Drop what was read, and at least double what was not: a long token is not scanned over and over."""
        left = self._window[self._at :]
        if len(left) > _LONGEST:
            fix = "is the dump whole?"
            raise AIPolicyError(f"line {self.line}: a quote or comment begins here and never ends: {fix}")
        pieces, size = [left], 0
        while size <= len(left):
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            pieces.append(piece)
            size += len(piece)
        self._window, self._at = "".join(pieces), 0
