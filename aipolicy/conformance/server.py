"""The test server: it serves a fixture on real sockets, and records the requests."""

import asyncio
import math
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from aipolicy.conformance.clause import Clause
from aipolicy.conformance.connection import MAX_HEAD, ReceivedRequest, Reply, serve_connection
from aipolicy.conformance.fixture import START, Fixture, FixtureSetup, ServedResponse, html_page
from aipolicy.conformance.recording import CrawlExit, RecordedFetch, Recording, is_robots
from aipolicy.core.paths import normalise

_HOST = "127.0.0.1"
_MAX_FETCHES = 5000
_MAX_CONNECTIONS = 200
_MAX_UNREADABLE = 20
_ROBOTS_TIMEOUT = 5.0  # seconds to wait for a request for another port's robots.txt
_READING = 0.1  # seconds
_MAX_CHARACTERS = 1000  # of a target or a User-Agent
_NOT_FOUND = ServedResponse(
    html_page("No such page").body, 404, (("Content-Type", "text/html; charset=utf-8"),)
)


class Server:
    """A context manager that serves the fixture of a clause to a crawler with a product token.

    Each authority is a port of 127.0.0.1. Ports can stand for host names because the scope of a robots.txt is
    a scheme, host and port (RFC 9309 §2.3). The sites are finite: other pages are not found. A crawler that
    sends far too many requests gets no more responses.
    """

    def __init__(self, clause: Clause, token: str) -> None:
        self._clause, self._token = clause, token
        self._stack = AsyncExitStack()
        self._fetches: list[RecordedFetch] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._robots_read: dict[str, float] = {}
        self._flooded = False
        self._unreadable: list[str] = []

    async def __aenter__(self) -> Self:
        self._opened = asyncio.get_running_loop().time()
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self) -> None:
        listening = {name: self._bound() for name in self._clause.authorities}
        at = {name: self._address(bound) for name, bound in listening.items()}
        if self._clause.refusing:  # bound but not listening, so that no other process gets the port
            at["refusing"] = self._address(self._bound())
        self.fixture: Fixture = self._clause.build(FixtureSetup(self._token, at))
        self.url = f"http://{at[START]}/"
        self._stack.push_async_callback(self._close_connections)
        for name, bound in listening.items():
            server = await asyncio.start_server(
                self._handler(name), sock=bound, backlog=_MAX_CONNECTIONS, limit=MAX_HEAD
            )
            self._stack.callback(server.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def recording(self, ending: CrawlExit) -> Recording:
        return Recording(tuple(self._fetches), ending, self._flooded, tuple(self._unreadable))

    def _bound(self) -> socket.socket:
        bound = self._stack.enter_context(socket.socket())
        bound.bind((_HOST, 0))
        return bound

    @staticmethod
    def _address(bound: socket.socket) -> str:
        return f"{_HOST}:{bound.getsockname()[1]}"

    def _handler(self, name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._connections) >= _MAX_CONNECTIONS:
                writer.transport.abort()
                return
            serving = serve_connection(
                reader, writer, lambda request: self._reply(name, request), self._record_unreadable
            )
            task = asyncio.get_running_loop().create_task(serving)
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        return handle

    async def _close_connections(self) -> None:
        tasks = tuple(self._connections)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):  # a bug: errors that a crawler can cause are handled
                raise outcome

    async def _reply(self, name: str, request: ReceivedRequest) -> Reply:
        at = self._now()
        path = _without_origin(request.target)[:_MAX_CHARACTERS]
        agent = request.user_agent[:_MAX_CHARACTERS]
        answer = self._answer(name, path, agent)
        number = self._record(
            RecordedFetch(name, at, math.inf, request.method[:_MAX_CHARACTERS], path, agent, answer)
        )
        if answer.waits and name in self._robots_read:
            await asyncio.sleep(self._robots_read[name] + answer.waits - at)
        if answer.after:
            await self._wait_for_robots(answer.after)

        def sent() -> None:
            done = self._now()
            if number is not None:
                self._fetches[number] = replace(self._fetches[number], done=done)
            if is_robots(path):
                self._robots_read.setdefault(name, done)

        return answer, sent

    async def _wait_for_robots(self, name: str) -> None:
        """Wait until a robots.txt was served and read, or until a timeout: it may never be requested."""
        try:
            async with asyncio.timeout(_ROBOTS_TIMEOUT):
                while name not in self._robots_read:
                    await asyncio.sleep(_READING)
                await asyncio.sleep(_READING)
        except TimeoutError:
            pass

    def _answer(self, name: str, path: str, user_agent: str) -> ServedResponse:
        if self._flooded:
            return ServedResponse(hangs_up=True)
        authority = self.fixture.authorities[name]
        if is_robots(path):
            first = self._robots_read.get(name)
            return authority.robots(user_agent, None if first is None else self._now() - first)
        return authority.pages.get(normalise(path), _NOT_FOUND)

    def _record(self, fetch: RecordedFetch) -> int | None:
        """Record a request before its response, which the crawler may never read; return its position."""
        if len(self._fetches) >= _MAX_FETCHES:
            self._flooded = True
            return None
        self._fetches.append(fetch)
        return len(self._fetches) - 1

    def _record_unreadable(self, line: str) -> None:
        if len(self._unreadable) < _MAX_UNREADABLE:
            self._unreadable.append(line[:_MAX_CHARACTERS])

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._opened


def _without_origin(target: str) -> str:
    """Return the path and query of a request target, which may be an absolute URL (RFC 9112 §3.2.2)."""
    scheme, separator, rest = target.partition("://")
    if not separator or not scheme.isalpha():
        return target
    return "/" + rest.partition("/")[2]
