"""A blog for real servers, whose lookups are used while it is imported, as by a health check."""

import asyncio
import os
import sys
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup, LocalLookup, Lookup

_FAULTS: dict[str, type[BaseException]] = {"exit": SystemExit, "interrupt": KeyboardInterrupt}


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message: Message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b"%d" % os.getpid()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _flag(host: str) -> bool:
    fault = _FAULTS.get(host.partition(".")[0])
    if fault is not None:
        raise fault(3)
    return True


async def _async_flag(host: str) -> bool:
    return _flag(host)


def _used(lookup: Lookup) -> Any:
    if "trio" in sys.argv:
        import trio

        trio.run(lookup.find, b"health.example")
    else:
        asyncio.run(lookup.find(b"health.example"))
    return lookup


_options: dict[str, Any] = {"default": "unset", "max_threads": 1, "timeout": 10.0}
sync = AIPolicyMiddleware(_page, _used(CachedLookup(_flag, **_options)), merge_own=False)
aware = AIPolicyMiddleware(_page, _used(CachedLookup(_async_flag, **_options)), merge_own=False)
if "MOUNTED_REGISTRY" in os.environ:
    _local = LocalLookup(os.environ["MOUNTED_REGISTRY"], default="unset")
    local = AIPolicyMiddleware(_page, _used(_local), merge_own=False)
