"""What a server answered."""

from dataclasses import dataclass


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
    ``seconds`` are from asking to the end of the body, without the hops.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: bool
    hops: tuple[Hop, ...]
    address: str
    seconds: float

    def values(self, name: str) -> list[str]:
        """The values of all lines of that header, in order; its name in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The lines of that header joined into one (RFC 9110 §5.2), or None."""
        values = self.values(name)
        return ", ".join(values) if values else None
