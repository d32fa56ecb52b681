"""What every log format does: lines in, the columns of requests out."""

from abc import ABC, abstractmethod

import polars as pl


class LogFormat(ABC):
    """How the lines of an access log are read. Immutable, and can be pickled."""

    __slots__ = ()

    name: str
    """``combined``, ``vcombined``, ``json:caddy`` ..., or ``custom``."""
    has_host: bool
    """Lines name their site."""
    has_forwarded: bool
    """Lines have a column like X-Forwarded-For."""

    @property
    def directive(self) -> str | None:
        """Lines beginning so say what the columns are from there on; None where nothing does."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the result should know, like "times without an offset are read as UTC"."""
        return ()

    def after(self, directive_line: str) -> "LogFormat":
        """The format of the lines behind a directive. Raises LogFormatError where it lacks what is needed."""
        return self

    def seen(self, sample: pl.Series) -> "LogFormat":
        """The same, knowing which of the columns that may lack these lines have."""
        return self

    def targets_name_sites(self, sample: pl.Series) -> bool:
        """True if all targets are in absolute form, as Varnish and forward proxies log them."""
        authority = self.read(sample).filter("ok")["authority"]
        return len(authority) > 0 and authority.is_not_null().all()

    @abstractmethod
    def lacks_user_agent(self, sample: pl.Series) -> str | None:
        """Say where User-Agents were looked for, if these lines can't have any; else None."""

    def parse(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        """One row a line, in the lines' order. ``lines`` are Strings without line ends.

        ============ ======= =====================================================================
        host         String  as written, with its port; null where the line names none
        address      String  the client's; null where it is no IP address
        time         Int64   microseconds since the epoch, UTC
        path         String  path and query as the client sent them: begins with "/"
        status       Int32   null where the format has none
        user_agent   String  the whole header; null where none was sent, or the format has none
        ok           Boolean False: the line can't be read, and everything else is null
        ============ ======= =====================================================================

        A time without an offset is read as UTC. Unreadable is also a line without a time, with an impossible
        one (31 February), or whose request names no path of a site (``OPTIONS *``, ``CONNECT``, what isn't
        HTTP). Control characters come out as ``\\x0a``.

        ``forwarded=N`` takes the address from the forwarded column: the N-th *from the right* of its list,
        N being how many proxies of one's own append to it. What stands left of those entries is only the
        client's claim, so counting from the left would let anyone choose the address. Null where the list
        is shorter. Raises LogFormatError where the format has no such column.
        """
        return self.read(lines, forwarded=forwarded).drop("authority")

    @abstractmethod
    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        """``parse``, and ``authority`` (String): the host of a target in absolute form, else null.

        It is the request's then, whatever ``host`` says (RFC 9112 §3.2.2).
        """

    @abstractmethod
    def shaped(self, lines: pl.Series) -> pl.Series:
        """Whether each line is built like this format (Boolean), whatever request and time it holds."""
