"""The trap on real sockets: it answers as a trap says, and keeps what was asked."""

import asyncio
import math
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from aipolicy.conformance.building import page
from aipolicy.conformance.clause import Clause
from aipolicy.conformance.connection import LONGEST_HEAD, Answered, Asked, converse
from aipolicy.conformance.fixture import START, Answer, Setting, Trap
from aipolicy.conformance.recording import Ending, Fetch, Seen, is_robots
from aipolicy.core.paths import normalise

_HOST = "127.0.0.1"
_MOST_FETCHES = 5000
_MOST_CONNECTIONS = 200
_MOST_UNREADABLE = 20
_LONGEST_WAIT = 5.0  # seconds for the robots.txt of another port
_READING = 0.1  # seconds
_LONGEST = 1000  # characters kept of a target or a User-Agent
_NOT_FOUND = Answer(page("No such page").body, 404, (("Content-Type", "text/html; charset=utf-8"),))


class Server:
    """Serves the trap of one clause, for a crawler of that product token, while it is entered.

    Each authority is a port of 127.0.0.1: scheme, host and port are the scope of a robots.txt (RFC 9309
    §2.3), so that ports do what host names would, and need no DNS and no file of hosts. A page that no trap
    has is not found: the sites are finite. Whoever asks more than a crawl could need is shut out.
    """

    def __init__(self, clause: Clause, token: str) -> None:
        self._clause, self._token = clause, token
        self._stack = AsyncExitStack()
        self._fetches: list[Fetch] = []
        self._talks: set[asyncio.Task[None]] = set()
        self._first_read: dict[str, float] = {}
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
        if self._clause.refusing:  # bound, and never listening: its port can't become anybody else's
            at["refusing"] = self._address(self._bound())
        self.trap: Trap = self._clause.build(Setting(self._token, at))
        self.url = f"http://{at[START]}/"
        self._stack.push_async_callback(self._end_talks)
        for name, bound in listening.items():
            server = await asyncio.start_server(
                self._talker(name), sock=bound, backlog=_MOST_CONNECTIONS, limit=LONGEST_HEAD
            )
            self._stack.callback(server.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def seen(self, ending: Ending) -> Seen:
        return Seen(tuple(self._fetches), ending, self._flooded, tuple(self._unreadable))

    def _bound(self) -> socket.socket:
        bound = self._stack.enter_context(socket.socket())
        bound.bind((_HOST, 0))
        return bound

    @staticmethod
    def _address(bound: socket.socket) -> str:
        return f"{_HOST}:{bound.getsockname()[1]}"

    def _talker(self, name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._talks) >= _MOST_CONNECTIONS:
                writer.transport.abort()
                return
            talking = converse(
                reader, writer, lambda asked: self._answered(name, asked), self._keep_unreadable
            )
            task = asyncio.get_running_loop().create_task(talking)
            self._talks.add(task)
            task.add_done_callback(self._talks.discard)

        return talk

    async def _end_talks(self) -> None:
        talks = tuple(self._talks)
        for task in talks:
            task.cancel()
        for outcome in await asyncio.gather(*talks, return_exceptions=True):
            if isinstance(outcome, Exception):  # ours: what a crawler can do is handled
                raise outcome

    async def _answered(self, name: str, asked: Asked) -> Answered:
        at = self._now()
        path = _without_origin(asked.target)[:_LONGEST]
        agent = asked.user_agent[:_LONGEST]
        answer = self._answer(name, path, agent)
        number = self._keep(Fetch(name, at, math.inf, asked.method[:_LONGEST], path, agent, answer))
        if answer.waits and name in self._first_read:
            await asyncio.sleep(self._first_read[name] + answer.waits - at)
        if answer.after:
            await self._robots_answered(answer.after)

        def sent() -> None:
            done = self._now()
            if number is not None:
                self._fetches[number] = replace(self._fetches[number], done=done)
            if is_robots(path):
                self._first_read.setdefault(name, done)

        return answer, sent

    async def _robots_answered(self, name: str) -> None:
        """Wait until a robots.txt has been answered and read; not for ever, since none need ask for it."""
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                while name not in self._first_read:
                    await asyncio.sleep(_READING)
                await asyncio.sleep(_READING)
        except TimeoutError:
            pass

    def _answer(self, name: str, path: str, user_agent: str) -> Answer:
        if self._flooded:
            return Answer(hangs_up=True)
        authority = self.trap.authorities[name]
        if is_robots(path):
            first = self._first_read.get(name)
            return authority.robots(user_agent, None if first is None else self._now() - first)
        return authority.pages.get(normalise(path), _NOT_FOUND)

    def _keep(self, fetch: Fetch) -> int | None:
        """Where it is kept. At once: it counts, also if its answer is never taken."""
        if len(self._fetches) >= _MOST_FETCHES:
            self._flooded = True
            return None
        self._fetches.append(fetch)
        return len(self._fetches) - 1

    def _keep_unreadable(self, line: str) -> None:
        if len(self._unreadable) < _MOST_UNREADABLE:
            self._unreadable.append(line[:_LONGEST])

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._opened


def _without_origin(target: str) -> str:
    """The path and query of a request target; a client may send a whole URL (RFC 9112 §3.2.2)."""
    scheme, separator, rest = target.partition("://")
    if not separator or not scheme.isalpha():
        return target
    return "/" + rest.partition("/")[2]
