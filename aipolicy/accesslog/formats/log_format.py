"""The interface of every log format: lines in, columns of requests out."""

from abc import ABC, abstractmethod

import polars as pl


class LogFormat(ABC):
    """A format of access logs. Immutable, and can be pickled."""

    __slots__ = ()

    name: str
    """``combined``, ``vcombined``, ``json:caddy`` ..., or ``custom``."""
    has_host: bool
    """True if lines name their site."""
    has_forwarded: bool
    """True if lines have a column like X-Forwarded-For."""

    @property
    def directive(self) -> str | None:
        """The start of a line that names the columns of the lines after it, or None."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the report, like "times have no UTC offset"."""
        return ()

    def after(self, directive_line: str) -> "LogFormat":
        """Return the format of the lines that follow a directive.

        Raises:
            LogFormatError: a needed column is missing.
        """
        return self

    def adapted_to(self, sample: pl.Series) -> "LogFormat":
        """Return this format with only those optional columns that the lines of ``sample`` have."""
        return self

    def targets_name_sites(self, sample: pl.Series) -> bool:
        """Return True if all targets are in absolute form, as Varnish and forward proxies log them."""
        authority = self.read(sample).filter("ok")["authority"]
        return len(authority) > 0 and authority.is_not_null().all()

    @abstractmethod
    def missing_user_agent(self, sample: pl.Series) -> str | None:
        """Return why the lines of ``sample`` can't have a User-Agent, or None if they can."""

    def parse(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        """Return one row per line, in the order of the lines.

        ============ ======= =====================================================================
        host         String  as logged, with its port; null if the line names none
        address      String  the client's; null if it is not an IP address
        time         Int64   microseconds since the epoch, UTC
        path         String  path and query as the client sent them; begins with "/"
        status       Int32   null if the format has none
        user_agent   String  the whole header; null if none was sent, or the format has none
        ok           Boolean False if the line is unreadable; everything else is null then
        ============ ======= =====================================================================

        A time without an offset is read as UTC. A line is also unreadable without a time, with an impossible
        one (31 February), or if its request names no path of a site (``OPTIONS *``, ``CONNECT``, anything but
        HTTP). Control characters are written as ``\\x0a``.

        Args:
            lines: Strings without line ends.
            forwarded: Take the address from the forwarded column: the N-th *from the right* of its list,
                where N is the number of your own proxies that append to it. Anything further left is only the
                client's claim, so counting from the left would let clients choose their address. Null if the
                list is shorter.

        Raises:
            LogFormatError: the format has no forwarded column.
        """
        return self.read(lines, forwarded=forwarded).drop("authority")

    @abstractmethod
    def read(self, lines: pl.Series, *, forwarded: int = 0) -> pl.DataFrame:
        """Return the rows of ``parse`` with a further column ``authority`` (String).

        It is the host of a target in absolute form, which overrides the ``host`` column (RFC 9112 §3.2.2), or
        null.
        """

    @abstractmethod
    def matches(self, lines: pl.Series) -> pl.Series:
        """Return a Boolean for each line: True if it has this structure, with any request and time."""
