"""One connection of a crawler: requests read and answers written, with h11; nothing of it is trusted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import h11

from aipolicy.check.crawler.trap import Answer

_HEAD = 16 * 1024  # octets of a request's line and headers
_BODY = 64 * 1024
_IDLE = 60.0  # seconds that a connection may stand open between two requests
_READ = 65536


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as it was sent."""

    method: str
    target: str
    user_agent: str


Answered = tuple[Answer, Callable[[], None]]
"""An answer, and what to call once it has been sent."""

Answering = Callable[[Asked], Awaitable[Answered]]


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Answering) -> None:
    """Serve one connection until either side closes it, or it sends what is no HTTP."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
    try:
        while await _exchange(connection, reader, writer, answering):
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await _send(connection, writer, Answer(b"", error.error_status_hint), "GET")
    except (ConnectionError, TimeoutError):  # it went away, or fell asleep
        pass
    finally:
        writer.close()


async def _exchange(
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answering: Answering,
) -> bool:
    """One request and its answer; False where no other can follow."""
    request = await _next(connection, reader)
    if not isinstance(request, h11.Request):
        return False
    asked = _asked(request)
    answer, sent = await answering(asked)
    if answer.hangs_up:
        sent()
        writer.transport.abort()
        return False
    await _discard_body(connection, reader, writer)
    await _send(connection, writer, answer, asked.method)
    sent()
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    while (event := connection.next_event()) is h11.NEED_DATA:
        async with asyncio.timeout(_IDLE):
            connection.receive_data(await reader.read(_READ))
    return event


async def _discard_body(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if connection.they_are_waiting_for_100_continue:
        writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
    octets = 0
    while isinstance(event := await _next(connection, reader), h11.Data):
        octets += len(event.data)
        if octets > _BODY:
            raise h11.RemoteProtocolError("a body that nobody asked for", error_status_hint=413)


def _asked(request: h11.Request) -> Asked:
    agents = [value for name, value in request.headers if name == b"user-agent"]
    method, target, agent = request.method, request.target, b", ".join(agents)
    return Asked(*(part.decode("latin-1") for part in (method, target, agent)))


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, method: str
) -> None:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    parts: list[h11.Event] = [h11.Response(status_code=answer.status, headers=headers)]
    if method != "HEAD":
        parts.append(h11.Data(data=answer.body))
    parts.append(h11.EndOfMessage())
    for part in parts:
        writer.write(connection.send(part) or b"")
    async with asyncio.timeout(_IDLE):
        await writer.drain()
