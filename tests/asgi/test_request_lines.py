"""Request lines on the wire: no opt-out is lost and nothing fails, whichever server parses the path."""

import asyncio

import h11
import pytest
from starlette.types import Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import PRESETS, SitePolicy
from tests.asgi.apps import answering, lookup
from tests.asgi.servers import Server, on_hypercorn, on_uvicorn
from tests.core.test_path_readings import ART

SERVERS = [
    pytest.param(on_uvicorn(http="h11", ws="none"), id="uvicorn with h11"),
    pytest.param(on_uvicorn(http="httptools", ws="none"), id="uvicorn with httptools"),
    pytest.param(on_uvicorn(http="h11", ws="none", root_path="/blog"), id="uvicorn below a path"),
    pytest.param(on_hypercorn, id="hypercorn"),
]
POLICY = SitePolicy.from_preset("unset", path_preferences={"/art/": PRESETS["no-training"]})
# "art/x" is no request line (RFC 9112 §3.2): uvicorn makes one path of it and its root path.
SENT = [sent.encode() for sent in ART if sent != "art/x"]
ODD = [b"*", b"/%", b"/%ff", b"/caf\xe9/", b"/%ed%a0%80", b"//", b"/" + b"%2f..%2f" * 500, b"/?" + b"a" * 999]


async def ask(
    port: int, target: bytes, user_agent: bytes, method: bytes = b"GET"
) -> tuple[int, dict[bytes, bytes]] | None:
    """Return status and headers; None if the server closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            b"%b %b HTTP/1.1\r\nHost: blog.example\r\nUser-Agent: %b\r\nConnection: close\r\n\r\n"
            % (method, target, user_agent)
        )
        async with asyncio.timeout(60):
            answer = await reader.read()
    finally:
        writer.close()
    if not answer:
        return None
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "blog.example")]))
    connection.receive_data(answer)
    response = connection.next_event()
    assert isinstance(response, h11.Response)
    return response.status_code, {bytes(name): bytes(value) for name, value in response.headers}


@pytest.mark.parametrize("served", SERVERS)
async def test_every_spelling_of_a_closed_path_is_refused_and_has_the_opt_out(served: Server) -> None:
    reached: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)
        await answering()(scope, receive, send)

    mounted = AIPolicyMiddleware(app, lookup(blog=POLICY), enforce="declared")
    async with served(mounted) as port:
        for target in SENT:
            for user_agent, status in ((b"Mozilla/5.0", 200), (b"GPTBot/1.2", 403)):
                answer = await ask(port, target, user_agent)
                if answer is None or answer[0] == 400:  # the server's own answer
                    continue
                assert answer[0] == status, target
                assert answer[1][b"tdm-reservation"] == b"1", target
    assert len(reached) > 30  # of the others some servers say themselves that they are none


@pytest.mark.parametrize("served", SERVERS)
async def test_odd_targets_are_no_error(served: Server) -> None:
    mounted = AIPolicyMiddleware(answering(), lookup(blog=POLICY), enforce="declared")
    async with served(mounted) as port:
        for target in ODD:
            for method in (b"GET", b"OPTIONS"):
                answer = await ask(port, target, b"Mozilla/5.0", method)
                assert answer is None or answer[0] in (200, 400), target
