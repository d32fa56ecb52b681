"""The request that a signature covers, as the client sent it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from aipolicy.errors import MissingExtraError

Lines = tuple[tuple[str, str], ...]

MAX_REQUEST_BYTES = 1 << 16
"""The longest request, with its body, that ``parse_request`` reads."""

_NOT_IN_A_URL = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]|%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose signatures can be verified.

    Attributes:
        method: The request method.
        url: The absolute URL, with the host that the client asked for.
        headers: The header lines in the order sent, decoded as Latin-1.
        body: The body that a covered Content-Digest is compared with; None if it isn't compared.
    """

    method: str
    url: str
    headers: Lines
    body: bytes | None = None

    @classmethod
    def from_target(
        cls,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        *,
        scheme: str = "https",
        host: str | None = None,
        body: bytes | None = None,
    ) -> Self:
        """Make a request from the parts of a request line.

        Args:
            method: The request method.
            target: ``/path?query``, or an absolute URL (RFC 9112 §3.2).
            headers: The header lines.
            scheme: The scheme of the URL.
            host: The host of the URL; by default the Host header's, for an absolute URL too, because a site
                is selected by that header. With several Host headers the URL has no host, and no signature
                verifies.
            body: The body, if it is known.
        """
        lines = tuple(headers)
        hosts = [value.strip(" \t") for name, value in lines if name.lower() == "host"]
        if host is None:
            host = hosts[0] if len(hosts) == 1 else ""
        if not target.startswith("/"):
            target = "/" + target.partition("://")[2].partition("/")[2]
        # Some clients send characters that are invalid in a URL. Without this step, a signature that doesn't
        # cover the path would fail too.
        target = _NOT_IN_A_URL.sub(lambda match: quote(match[0], encoding="latin-1"), target)
        return cls(method, f"{scheme}://{host}{target}", lines, body)

    def field(self, name: str) -> str | None:
        """Return the joined lines of a header (RFC 9421 §2.1), or None."""
        values = [value.strip(" \t") for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


def parse_request(raw: bytes, *, scheme: str = "https") -> SignedRequest:
    """Parse an HTTP/1.1 request (RFC 9112 §2.1).

    Lines may end with LF alone, and the empty line at the end may be missing.

    Raises:
        ValueError: It is not a valid request.
        MissingExtraError: h11 is not installed.
    """
    try:
        import h11
    except ImportError:
        raise MissingExtraError.for_extra("reading a request needs h11", "identity") from None
    if b"\r\n\r\n" not in raw and b"\n\n" not in raw:
        raw = raw.rstrip(b"\r\n") + b"\r\n\r\n"
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_REQUEST_BYTES)
    connection.receive_data(raw)
    connection.receive_data(b"")  # end of input
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise ValueError(str(error)) from None
    if not isinstance(request, h11.Request):
        raise ValueError("it contains no request")
    body = bytearray()
    try:
        while isinstance(data := connection.next_event(), h11.Data):
            body += data.data
    except h11.RemoteProtocolError:  # an incomplete body can't be compared with a digest
        body.clear()
    return SignedRequest.from_target(
        request.method.decode("ascii"),
        request.target.decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw_items()],
        scheme=scheme,
        body=bytes(body) or None,
    )
