"""Real servers on loopback, for one test each."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

Server = Callable[[ASGIApp], AbstractAsyncContextManager[int]]
"""Serves an application; gives the port."""


def on_uvicorn(**options: Any) -> Server:
    """Return a function that serves an application with uvicorn and these options."""

    @asynccontextmanager
    async def served(app: ASGIApp) -> AsyncIterator[int]:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error", **options))
        listening = socket.create_server(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await running

    return served


@asynccontextmanager
async def on_hypercorn(app: ASGIApp) -> AsyncIterator[int]:
    """Serve an application with hypercorn."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config, ending = Config(), asyncio.Event()
        config.bind = [f"fd://{listening.fileno()}"]
        config.loglevel = "ERROR"
        port = listening.getsockname()[1]
        running = asyncio.create_task(serve(app, config, shutdown_trigger=ending.wait))  # type: ignore[arg-type]
        try:
            yield port
        finally:
            ending.set()
            await running
            listening.detach()  # Hypercorn has closed it
