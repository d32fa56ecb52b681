"""A response to a GET request, and the redirects that led to it."""

from dataclasses import dataclass

from aipolicy.errors import FetchTrouble


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect that was followed; ``location`` is the header's value."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a GET request.

    Attributes:
        url: The URL that was requested last.
        status: The status code.
        headers: The header lines in the order sent, decoded as Latin-1.
        body: The decoded body.
        cut: True if the body was longer than the limit.
        hops: The redirects that were followed.
        address: The server's address.
        seconds: Seconds from the request to the end of the body, without the redirects.
        trouble: The kind of error if the body can't be read, or a redirect can't be followed; else None.
        reason: The error, for people.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: bool = False
    hops: tuple[Hop, ...] = ()
    address: str = ""
    seconds: float = 0.0
    trouble: FetchTrouble | None = None
    reason: str = ""

    def values(self, name: str) -> list[str]:
        """Return the values of all lines of a header, in order; the case of its name doesn't matter."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """Return the lines of a header joined into one (RFC 9110 §5.2); "" if there is none."""
        return ", ".join(self.values(name))

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip(" \t").lower()

    @property
    def charset(self) -> str:
        """The character set in Content-Type, in lower case; "" if it has none."""
        return self.header("content-type").lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
