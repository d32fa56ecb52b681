"""Our headers in the start of a response."""

from __future__ import annotations  # else each request makes the annotations of a nested function anew

import logging
from collections.abc import Awaitable

from starlette.types import Message, Send

from aipolicy.core.headers import Header, merge_headers
from aipolicy.core.render import HeaderSet

logger = logging.getLogger("aipolicy.asgi")


def adding(header_set: HeaderSet, send: Send) -> Send:
    """``send``, with our headers in the response's start. A plain function costs half an async one."""

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # Copied, never changed: an application may send one message object again and again.
            headers = [*message.get("headers", ())]
            names = header_set.names
            for name, _ in headers:
                if name in names:
                    headers = merged(headers, header_set.headers)
                    break
            else:
                headers += header_set.headers
            message = dict(message, headers=headers)
        return send(message)

    return send_with_headers


def merged(theirs: list[Header], ours: tuple[Header, ...]) -> list[Header]:
    """Theirs and ours, joined; one after the other where they can't be."""
    try:
        return merge_headers(theirs, ours)
    except Exception:
        logger.exception("headers could not be merged: ours are appended")
        return [*theirs, *ours]
