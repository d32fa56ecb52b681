"""What a server answered."""

from dataclasses import dataclass

from aipolicy.errors import FetchTrouble


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect that was followed: ``location`` as sent."""

    url: str
    status: int
    location: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a GET.

    ``headers`` are as sent, in order, read as Latin-1. ``body`` is without its content coding, and ``cut``
    where it was longer than asked for. ``hops`` are the redirects that led here, ``address`` is the server's,
    ``seconds`` are from asking to the end of the body, without the hops. ``trouble`` is why there is no body,
    or no following the redirect, although a head came; ``reason`` says it in words.
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
        """The values of all lines of that header, in order; its name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str:
        """The lines of that header joined into one (RFC 9110 §5.2); "" where there is none."""
        return ", ".join(self.values(name))

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.header("content-type").partition(";")[0].strip(" \t").lower()

    @property
    def charset(self) -> str:
        """The character set that Content-Type names, in lower case; "" where it names none."""
        return self.header("content-type").lower().partition("charset=")[2].partition(";")[0].strip(" \"'")
