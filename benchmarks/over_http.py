"""What the middleware costs over HTTP: real servers under wrk, each ratio measured in one run.

    apt install wrk nginx-light && pip install -e '.[bench]'
    python benchmarks/over_http.py

Each round loads every server in turn for a second or two. CPU a request is the server process's own (user and
system time, from the kernel), so what wrk takes doesn't count; the median over the rounds is printed.
"""

import argparse
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
from starlette.types import ASGIApp

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.merge import robots_txt
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup

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


def application(mounted: bool) -> ASGIApp:
    """A blog server with a post and a robots.txt, bare or mounted."""
    routes = [Route("/post/1", _post), Route("/robots.txt", _robots)]
    if not mounted:
        return Starlette(routes=routes)
    return AIPolicyMiddleware(Starlette(routes=routes[:1]), CachedLookup(lambda host: True, ttl=3600))


bare, mounted = application(False), application(True)  # what the servers import


class Server:
    """One process that serves: where, and how much CPU it has used."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def cpu_seconds(self) -> float:
        """Of all its threads, to the nanosecond: /proc/PID/stat has hundredths of a second."""
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
    """Requests a second, and CPU microseconds a request."""
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
    post = _ratio(figures, "/post/1", 1)
    print(f"{name}: a post, CPU a request to the bare application's: {post:.3f}x (target 1.05)")
    robots = _ratio(figures, "/robots.txt", 0)
    print(f"{name}: /robots.txt, requests a second to a Starlette route's: {robots:.2f}x (target 1.15)")
    robots = _ratio(figures, "/robots.txt", 1)
    print(f"{name}: /robots.txt, CPU a request to a Starlette route's: {robots:.2f}x")
    for (path, app), runs in figures.items():
        rate = statistics.median(rate for rate, _ in runs)
        cost = statistics.median(cost for _, cost in runs)
        print(f"    {path:12} {app:8} {rate:9,.0f}/s {cost:7.1f} us CPU")


def _ratio(figures: dict[tuple[str, str], list[tuple[float, float]]], path: str, which: int) -> float:
    pairs = zip(figures[path, "mounted"], figures[path, "bare"], strict=True)
    return statistics.median(ours[which] / theirs[which] for ours, theirs in pairs)


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
    ratio = statistics.median(theirs / our_rate for theirs, our_rate in rates)
    print(f"nginx with the exported map, /robots.txt as a static file: {ratio:.1f}x our requests a second")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.exit(2, "wrk is not installed: apt install wrk\n")
    for name in ("uvicorn", "granian"):
        compare(name, options.rounds, options.seconds)
    compare_with_nginx(options.rounds, options.seconds)


if __name__ == "__main__":
    main()
