"""Our headers in the start of a response."""

from __future__ import annotations  # else each request makes the annotations of a nested function anew

import logging
from collections.abc import Awaitable

from starlette.types import Message, Send

from aipolicy.rendering import HeaderSet
from aipolicy.signals.header_field import Header, field_name
from aipolicy.signals.headers import FIELD_NAMES, REPEATABLE, merge_headers

logger = logging.getLogger("aipolicy.asgi")

_MOST_NAMES = 1024

# Names of fields, as applications write them, that are none of ours in any capitals: to look a name up here
# costs less than to lower each name of each response.
_others: set[bytes] = set()


def adding(header_set: HeaderSet, send: Send) -> Send:
    """``send``, with our headers in the response's start. A plain function costs half an async one."""

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # Copied, never changed: an application may send one message object again and again.
            headers = [*(message.get("headers") or ())]
            try:
                for name, _ in headers:
                    if name not in _others and _is_one_of(header_set.names, name):
                        headers = merged(headers, header_set.headers)
                        break
                else:
                    headers += header_set.headers
            except Exception:
                headers = merged(headers, header_set.headers)
            message = dict(message, headers=headers)
        return send(message)

    return send_with_headers


def merged(theirs: list[Header], ours: tuple[Header, ...]) -> list[Header]:
    """Theirs and ours, joined; where they can't be, ours, and theirs of other names."""
    try:
        return merge_headers(theirs, ours)
    except Exception:
        logger.exception("headers could not be merged: ours are set")
        replaced = {name for name, _ in ours} - REPEATABLE
        return [*(header for header in theirs if _name_of(header) not in replaced), *ours]


def _is_one_of(names: frozenset[bytes], name: bytes) -> bool:
    known = field_name(name)
    if known in names:
        return True
    if known not in FIELD_NAMES:
        if len(_others) >= _MOST_NAMES:
            _others.clear()
        _others.add(name)
    return False


def _name_of(header: Header) -> bytes | None:
    try:
        return field_name(header[0])
    except Exception:
        return None  # no header: the server will say so
