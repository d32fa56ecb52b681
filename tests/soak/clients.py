"""Clients that send requests on persistent connections, and check every answer."""

import asyncio
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.soak.oracle import OPTED_OUT, Answer, Oracle, Verdict
from tests.soak.tally import Tally

TIMEOUT = 15.0
"""Seconds after which a request has failed."""

_USAGE = {
    "": "unset",
    "train-ai=n": "no-training",
    "train-ai=n, ai-use=n": "no-ai",
    "train-ai=y, ai-use=y": "allow",
}
_IN_ROBOTS = re.compile(rb"^Content-Usage: (.*)$", re.MULTILINE)
_NUMBER = re.compile(rb"/version-(\d+)")
_UNKNOWN_HOSTS = 50
_REQUESTS = 150  # on one connection, on average; the next connection may be to another worker


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection:
    """A persistent HTTP/1.1 connection to one of our workers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def get(self, host: str, path: str) -> Response:
        self._writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
        headers = dict(line.split(b": ", 1) for line in lines)
        body = await self._reader.readexactly(int(headers[b"content-length"]))
        return Response(int(first.split()[1]), headers, body)

    def close(self) -> None:
        self._writer.close()


class Clients:
    """A context manager with ``count`` clients in a thread. They request the first ``sites`` most often.

    Args:
        pause: Seconds between a response and the next request of a client.
    """

    def __init__(
        self,
        port: int,
        oracle: Oracle,
        tally: Tally,
        sites: Sequence[str],
        *,
        count: int,
        pause: float,
        seed: int,
    ) -> None:
        self._port, self._oracle, self._tally = port, oracle, tally
        self._sites = sites
        self._favourites = sites[: len(sites) // 20]
        self._count, self._pause, self._random = count, pause, random.Random(seed)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="clients")
        self._done = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done = True
        self._thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(self._count)))

    async def _one(self) -> None:
        while not self._done:
            try:
                connection = await Connection.open(self._port)
            except OSError as error:
                self._tally.failed(f"no connection: {error}")
                await asyncio.sleep(0.1)
                continue
            try:
                await self._talk(connection)
            finally:
                connection.close()

    async def _talk(self, connection: Connection) -> None:
        for _ in range(self._random.randrange(2 * _REQUESTS)):
            if self._done:
                return
            host, path = self._any_host(), self._random.choice(("/robots.txt", "/post"))
            try:
                await self._ask(connection, host, path)
            except (OSError, EOFError) as error:
                await self._ask_again(host, path, error)
                return
            await asyncio.sleep(self._pause)

    async def _ask_again(self, host: str, path: str, error: Exception) -> None:
        """Retry on another connection, as a proxy does, if the fault breaks connections."""
        if not self._tally.cut():
            self._tally.failed(f"{host}{path}: {error!r}")
            return
        try:
            connection = await Connection.open(self._port)
            await self._ask(connection, host, path)
            connection.close()
        except (OSError, EOFError) as again:
            self._tally.failed(f"{host}{path}, asked again: {again!r}")

    async def _ask(self, connection: Connection, host: str, path: str) -> None:
        sent = time.monotonic()
        async with asyncio.timeout(TIMEOUT):
            response = await connection.get(host, path)
        received = time.monotonic()
        if response.status != 200:
            self._tally.failed(f"{host}{path}: status {response.status}")
            return
        try:
            answer = answer_in(response, host, path, sent=sent, received=received)
        except (ValueError, KeyError) as error:
            self._tally.wrong(f"{host}{path}: {error!r}")
            return
        verdict, right = self._oracle.judge(answer)
        self._tally.answered(answer, verdict)
        if verdict is Verdict.WRONG:
            self._tally.wrong(
                f"{host}{path} of worker {answer.worker} at change {answer.seq}: "
                f"{answer.preset}, version {answer.number}; right would be {right}"
            )

    def _any_host(self) -> str:
        chance = self._random.random()
        if chance < 0.02:
            return f"unknown{self._random.randrange(_UNKNOWN_HOSTS)}.example"
        site = self._random.choice(self._favourites if chance < 0.5 else self._sites)
        return f"www.{site}" if chance < 0.1 else site


def answer_in(response: Response, host: str, path: str, *, sent: float, received: float) -> Answer:
    """Return the answer in a response. Raises ValueError if its parts contradict each other."""
    headers = response.headers
    if path == "/robots.txt":
        declared = set(_IN_ROBOTS.findall(response.body))
        number = _NUMBER.search(response.body)
    else:
        declared = {headers[b"content-usage"]} if b"content-usage" in headers else set()
        number = _NUMBER.search(headers.get(b"tdm-policy", b""))
    preset = _USAGE[declared.pop().decode() if declared else ""]
    opted_out = preset in OPTED_OUT
    blocks = b"User-agent: GPTBot" in response.body
    if declared or (path == "/robots.txt" and blocks != opted_out) or (b"tdm-policy" in headers) > opted_out:
        raise ValueError(f"{host}{path} contradicts itself: {response}")
    return Answer(
        host=host,
        worker=int(headers[b"x-worker"]),
        seq=int(headers[b"x-seq"]),
        preset=preset,
        number=int(number[1]) if number else None,
        sent=sent,
        received=received,
        numbered=path == "/robots.txt" or opted_out,
    )
