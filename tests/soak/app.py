"""The application of the workers: a page behind the middleware."""

import logging
import os
import sys

from starlette.types import Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import LocalLookup
from aipolicy.signals.switches import Signals

STATUS = "/aipolicy/metrics"

logging.basicConfig(stream=sys.stderr, format="%(process)d %(levelname)s %(name)s: %(message)s")
logging.getLogger("aipolicy").setLevel(logging.INFO)

_lookup = LocalLookup(os.environ["SOAK_FILE"], signals=Signals(tdm_policy=True))
_worker = (b"x-worker", b"%d" % os.getpid())


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})


_mounted = AIPolicyMiddleware(_page, _lookup, status_path=STATUS, merge_own=False)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Add the worker's process number and last change to the headers of the middleware's response."""
    if scope["type"] != "http":
        return

    async def send_with_worker(message: Message) -> None:
        if message["type"] == "http.response.start":
            seq = (b"x-seq", b"%d" % _lookup.seq)
            message = {**message, "headers": [*message["headers"], _worker, seq]}
        await send(message)

    await _mounted(scope, receive, send_with_worker)
