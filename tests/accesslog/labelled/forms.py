"""The base class of all forms of a log, and helpers to escape text."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from tests.accesslog.labelled.traffic import Request

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _everything(_: Request) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a log.

    ``line``     a request's line, without its end; with a text, that text stands where the time would.
    ``options``  what the command must be told; nothing: the form is recognised.
    ``head``     lines that the file begins with.
    ``hosts``, ``agents``, ``fractions``: whether a line names its host, the User-Agent, parts of a second.
    ``carries``  whether such a request can stand in it.
    ``broken``   lines that hold a product token and that nobody can read as this form.
    """

    name: str
    line: Callable[[Request, str | None, random.Random], bytes]
    options: tuple[str, ...] = ()
    head: tuple[bytes, ...] = ()
    hosts: bool = True
    agents: bool = True
    fractions: bool = False
    carries: Callable[[Request], bool] = _everything
    broken: tuple[bytes, ...] = field(
        default=(b"GPTBot/1.2 was here", b"\x00\xff GPTBot/1.2 \x16\x03 ClaudeBot")
    )


def clf_time(when: datetime, minutes: int = 0) -> str:
    """Return a time as in ``[01/Oct/2026:02:00:00 +0200]``, without the brackets, in any locale."""
    local = when.astimezone(timezone(timedelta(minutes=minutes)))
    return f"{local:%d}/{MONTHS[local.month - 1]}/{local:%Y:%H:%M:%S %z}"


def iso_time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def nginx_escaped(text: str | bytes) -> str:
    r"""Escape like nginx: ``"``, ``\`` and all but printable ASCII as ``\xHH``."""
    data = text.encode() if isinstance(text, str) else text
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02X}" for b in data)


def apache_escaped(text: str | bytes) -> str:
    r"""Escape like Apache: ``\"``, ``\\``, the escapes of C for some controls, and ``\xhh``."""
    known = {0x22: '\\"', 0x5C: "\\\\", 0x08: "\\b", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x0B: "\\v"}
    data = text.encode() if isinstance(text, str) else text
    return "".join(known.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data)


def plain(request: Request) -> bool:
    """Return True if the request is printable ASCII without spaces in the path, quotes and backslashes."""
    data = request.path + request.client.user_agent.encode()
    return b" " not in request.path and all(32 <= b < 127 and b not in b'"\\' for b in data)


def unicode(request: Request) -> bool:
    """Return True if the path is UTF-8, because JSON has no other bytes."""
    try:
        request.path.decode()
    except UnicodeDecodeError:
        return False
    return True
