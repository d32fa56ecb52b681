"""The canonical name of a site from any spelling of its Host header.

The request path looks up the raw bytes first, and computes this only if they are unknown.
"""

import ipaddress
import re

from aipolicy.errors import HostError

# RFC 3986 §3.2.3: the port may be empty ("a.example:").
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[^\[\]:]*))(?::[0-9]{0,5})?", re.DOTALL)
# RFC 1123 §2.1, and the underscore that blog platforms have in real host names.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_LENGTH = 253  # RFC 1035 §2.3.4, as text


def canonical_host(host: str | bytes) -> str | None:
    """Return the canonical name of a ``Host`` value, or None if it is malformed.

    Lower case, without port and trailing dot, international names as A-labels (UTS #46, as browsers do):
    ``Bücher.Example.:443`` and ``xn--bcher-kva.example`` are one site. IPv6 literals keep their brackets, in
    the form of RFC 5952.
    """
    if not host or len(host) > 4 * _MAX_LENGTH:  # a character takes at most four bytes
        return None
    if isinstance(host, bytes):
        try:
            host = host.decode()
        except UnicodeDecodeError:
            return None
    if _NAME.fullmatch(host) and len(host) <= _MAX_LENGTH:
        return host  # the usual case
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    if match["address"]:
        return _address(match["address"])
    name = match["name"].removesuffix(".")
    name = name.lower() if name.isascii() else _a_labels(name) or ""
    if not name or len(name) > _MAX_LENGTH:
        return None
    return name if _NAME.fullmatch(name) else None


def site_name(host: str) -> str:
    """Return the canonical name of ``host``.

    Raises:
        HostError: ``host`` is not a valid host name.
    """
    name = canonical_host(host)
    if name is None:
        raise HostError(f"{host!r} is not a host name; give one like 'blog.example', without scheme or path")
    return name


def _address(literal: str) -> str | None:
    try:
        return f"[{ipaddress.IPv6Address(literal).compressed}]"
    except ValueError:
        return None


def _a_labels(name: str) -> str | None:
    # Imported where it is used: international names are rare, and the module is large.
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii").removesuffix(".")
    except idna.IDNAError:
        return None
