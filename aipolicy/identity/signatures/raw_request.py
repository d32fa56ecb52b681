"""A request's head as it was sent, or as a tool shows it, to the request that it is."""

from aipolicy.errors import MissingExtraError
from aipolicy.identity.signatures.request import SignedRequest

try:
    import h11
except ImportError:
    raise MissingExtraError.for_extra("reading a request needs httpx", "identity") from None

LONGEST = 1 << 16  # octets, with the body


def request_from_octets(octets: bytes, *, scheme: str = "https") -> SignedRequest:
    """Read an HTTP/1.1 request (RFC 9112 §2.1); lines may end with LF alone, and the last may be missing.

    Raises ValueError with the reason.
    """
    if b"\r\n\r\n" not in octets and b"\n\n" not in octets:
        octets = octets.rstrip(b"\r\n") + b"\r\n\r\n"
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST)
    connection.receive_data(octets)
    connection.receive_data(b"")  # there is no more
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise ValueError(str(error)) from None
    if not isinstance(request, h11.Request):
        raise ValueError("there is no request in it")
    return SignedRequest.from_target(
        request.method.decode("ascii"),
        request.target.decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw_items()],
        scheme=scheme,
        body=_body(connection),
    )


def _body(connection: h11.Connection) -> bytes | None:
    """None where there is none, or not the whole: nothing can be said of it."""
    body = bytearray()
    try:
        while isinstance(data := connection.next_event(), h11.Data):
            body += data.data
    except h11.RemoteProtocolError:
        return None
    return bytes(body) or None
