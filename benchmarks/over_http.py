"""The cost of the middleware over HTTP, counted in instructions under uvicorn and in CPU time under granian.

    apt install valgrind wrk nginx-light && pip install -e '.[bench]'
    python benchmarks/over_http.py

Instructions: valgrind counts those of a process that runs uvicorn and its client, for 100 and for 600
requests; the difference is 500 requests. The floor is a wrapper that sends the same headers as constants.
Exits with 1 if a post costs more than 1.03 times the floor.

CPU time: each round loads every server in turn for a second or two. The user and system time of the server
process counts, without wrk. Prints the median, minimum and maximum over the rounds.
"""

import argparse
import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from aipolicy.robotstxt.merge import robots_txt

ROBOTS = robots_txt(SitePolicy.from_preset("no-training"))
CONNECTIONS = 16
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    map $host $usage {{ default "train-ai=n"; other.example ""; }}
    map $host $tags {{ default "noai, noimageai"; other.example ""; }}
    map $host $reserved {{ default "1"; other.example ""; }}
    server {{
        listen 127.0.0.1:{port}; root {folder};
        add_header X-Robots-Tag $tags; add_header Content-Usage $usage; add_header tdm-reservation $reserved;
    }}
}}
"""


async def _post(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * 560)


async def _robots(request: Request) -> PlainTextResponse:
    return PlainTextResponse(ROBOTS)


class Floor:
    """Middleware that sends constant headers with every response: the minimum for a wrapper."""

    HEADERS = (
        (b"x-robots-tag", b"noai, noimageai"),
        (b"content-usage", b"train-ai=n"),
        (b"tdm-reservation", b"1"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.HEADERS]}
            await send(message)

        await self.app(scope, receive, adding)


_ROUTES = [Route("/post/1", _post), Route("/robots.txt", _robots)]

# What the servers import: a blog server with a post and a robots.txt.
bare: ASGIApp = Starlette(routes=_ROUTES)
floor: ASGIApp = Floor(Starlette(routes=_ROUTES))
mounted: ASGIApp = AIPolicyMiddleware(
    Starlette(routes=_ROUTES[:1]), CachedLookup(lambda host: True, ttl=3600)
)
APPS = {"bare": bare, "floor": floor, "mounted": mounted}

LIMIT = 1.03
"""Maximum cost of a post with the middleware, as a multiple of the floor."""


def count_instructions(python: str, http: str, app: str, requests: int) -> int:
    """Return the instructions of a process that starts, serves and requests ``requests`` posts."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", python, __file__]
        asked = ["--ask", app, "--http", http, "--requests", str(requests)]
        done = subprocess.run(
            [*command, *asked],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"valgrind could not count {app} under {http}:\n{done.stderr}")
    return int(found[1])


def compare_instructions() -> bool:
    """Print the cost of a post; return True if it is within the limit."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt install valgrind")
    within = True
    for http in ("httptools", "h11"):
        few, many = 100, 600
        cost = {}
        for app in APPS:
            counts = [count_instructions(sys.executable, http, app, number) for number in (few, many)]
            cost[app] = (counts[1] - counts[0]) / (many - few)
            print(f"uvicorn with {http}: {app:8} {cost[app]:9,.0f} instructions a request", flush=True)
        to_floor, to_bare = cost["mounted"] / cost["floor"], cost["mounted"] / cost["bare"]
        print(f"uvicorn with {http}: a post is {to_floor:.3f}x the floor (at most {LIMIT})")
        print(f"uvicorn with {http}: a post is {to_bare:.3f}x a page without the headers")
        within = within and to_floor <= LIMIT
    return within


async def ask(app: ASGIApp, http: str, requests: int) -> None:
    """Serve ``app`` with uvicorn and send requests from this process, on one connection."""
    import uvicorn

    options = {"http": http, "loop": "asyncio", "lifespan": "off", "log_level": "error", "access_log": False}
    server = uvicorn.Server(uvicorn.Config(app, port=0, **options))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        writer.write(b"GET /post/1 HTTP/1.1\r\nhost: blog.example\r\naccept: */*\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not the post: {head!r}")
        await reader.readexactly(int(length[1]))
    writer.close()
    server.should_exit = True
    await serving


class Server:
    """A server process: its address, and the CPU time it has used."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """Return the CPU time of all threads in seconds; /proc/PID/stat has only hundredths of a second."""
        ids = [self._process.pid, *_children(self._process.pid)]
        tasks = (task for pid in ids for task in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [descendant for child in map(int, found) for descendant in (child, *_children(child))]


@contextmanager
def serving(command: list[str], port: int) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemExit(f"{command[0]} doesn't answer: {' '.join(command)}")
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load(server: Server, path: str, seconds: int) -> tuple[float, float]:
    """Return requests per second, and CPU microseconds per request."""
    before = server.cpu_seconds()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", "Host: blog.example", _url(server, path)],
        capture_output=True,
        text=True,
        check=True,
    )
    used = server.cpu_seconds() - before
    requests, rate = (
        re.search(r"(\d+) requests in", done.stdout),
        re.search(r"Requests/sec:\s+([\d.]+)", done.stdout),
    )
    if requests is None or rate is None or "Non-2xx" in done.stdout:
        raise SystemExit(f"wrk could not load {_url(server, path)}:\n{done.stdout}{done.stderr}")
    return float(rate[1]), used / int(requests[1]) * 1e6


def _url(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def commands(app: str, port: int) -> dict[str, list[str]]:
    where, this = ["--host", "127.0.0.1", "--port", str(port)], f"{Path(__file__).stem}:{app}"
    folder = str(Path(__file__).parent)
    python = [sys.executable, "-m"]
    return {
        "uvicorn": [
            *python,
            "uvicorn",
            this,
            *where,
            "--app-dir",
            folder,
            "--no-access-log",
            "--log-level",
            "error",
        ],
        "granian": [
            *python,
            "granian",
            this,
            *where,
            "--working-dir",
            folder,
            "--interface",
            "asgi",
            "--no-log",
        ],
    }


def compare(name: str, rounds: int, seconds: int) -> None:
    ports = {app: free_port() for app in ("bare", "mounted")}
    with (
        serving(commands("bare", ports["bare"])[name], ports["bare"]) as bare_server,
        serving(commands("mounted", ports["mounted"])[name], ports["mounted"]) as mounted_server,
    ):
        figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number in range(rounds + 1):
            for path in ("/post/1", "/robots.txt"):
                for app, server in (("bare", bare_server), ("mounted", mounted_server)):
                    measured = load(server, path, seconds)
                    if number:  # the first round warms up
                        figures.setdefault((path, app), []).append(measured)
    print(f"{name}: a post, CPU a request to the bare application's: {_ratios(figures, '/post/1', 1)}")
    robots = _ratios(figures, "/robots.txt", 0)
    print(f"{name}: /robots.txt, requests a second to a Starlette route's: {robots}")
    robots = _ratios(figures, "/robots.txt", 1)
    print(f"{name}: /robots.txt, CPU a request to a Starlette route's: {robots}")
    for (path, app), runs in figures.items():
        rate = statistics.median(rate for rate, _ in runs)
        cost = statistics.median(cost for _, cost in runs)
        print(f"    {path:12} {app:8} {rate:9,.0f}/s {cost:7.1f} us CPU")


def _ratios(figures: dict[tuple[str, str], list[tuple[float, float]]], path: str, which: int) -> str:
    pairs = zip(figures[path, "mounted"], figures[path, "bare"], strict=True)
    return _spread([ours[which] / theirs[which] for ours, theirs in pairs])


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"


def compare_with_nginx(rounds: int, seconds: int) -> None:
    if shutil.which("nginx") is None:
        print("nginx is not installed: apt install nginx-light")
        return
    port, our_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # nginx's worker is another user
        (Path(folder) / "robots.txt").write_bytes(ROBOTS)
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, port=port))
        with (
            serving(["nginx", "-p", folder, "-c", str(configuration)], port) as nginx,
            serving(commands("mounted", our_port)["uvicorn"], our_port) as ours,
        ):
            rates = [
                [load(server, "/robots.txt", seconds)[0] for server in (nginx, ours)] for _ in range(rounds)
            ]
    ratios = _spread([theirs / our_rate for theirs, our_rate in rates])
    print(f"nginx with the exported map, /robots.txt as a static file: {ratios} our requests a second")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--only", choices=["instructions", "time"], help="one of both")
    parser.add_argument("--ask", choices=APPS, help=argparse.SUPPRESS)
    parser.add_argument("--http", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        asyncio.run(ask(APPS[options.ask], options.http, options.requests))
        return
    within = options.only == "time" or compare_instructions()
    if options.only != "instructions":
        if shutil.which("wrk") is None:
            parser.exit(2, "wrk is not installed: apt install wrk\n")
        for name in ("uvicorn", "granian"):
            compare(name, options.rounds, options.seconds)
        compare_with_nginx(options.rounds, options.seconds)
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
