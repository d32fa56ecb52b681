"""Real servers: gunicorn with and without ``--preload``, and hypercorn under asyncio and trio."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from aipolicy.registry import Registry
from tests.lookup.harness import NO_AI, OPTED_OUT
from tests.registry.conftest import ROOT

GUNICORN = ("gunicorn", "--workers", "2", "--timeout", "20", "--graceful-timeout", "1")
HYPERCORN = ("hypercorn", "--workers", "0", "--graceful-timeout", "1")


@contextmanager
def serving(server: tuple[str, ...], app: str, **environment: str) -> Iterator[str]:
    """Return the base URL of a running server with an application of the module ``mounted``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bind = f"127.0.0.1:{port}"
    there = ["--port", str(port)] if server[0] == "uvicorn" else ["--bind", bind]
    command = [sys.executable, "-W", "ignore", "-m", *server, *there, f"tests.asgi.mounted:{app}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline, "it doesn't answer"
            time.sleep(0.05)
        yield f"http://{bind}"
        assert process.poll() is None, "it ended under the requests"
        process.send_signal(signal.SIGINT)  # as Ctrl-C
        process.wait(30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its workers, which would keep its stderr open
        process.communicate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def get(url: str, host: str) -> tuple[str | None, str]:
    """Return the ``Content-Usage`` of a page, and the process that answered."""
    request = Request(url, headers={"Host": host})
    with urlopen(request, timeout=30) as response:
        return response.headers["Content-Usage"], response.read().decode()


UVICORN_WORKER = ("--worker-class", "uvicorn.workers.UvicornWorker")


@pytest.mark.parametrize(
    ("app", "options"),
    [
        ("sync", UVICORN_WORKER),
        ("sync", (*UVICORN_WORKER, "--preload")),
        ("sync", ("--worker-class", "asgi", "--preload")),
        ("aware", (*UVICORN_WORKER, "--preload")),
    ],
)
def test_gunicorns_workers_find_each_blogs_own_flag(app: str, options: tuple[str, ...]) -> None:
    with serving((*GUNICORN, *options), app) as url:
        answers = [get(url, f"blog{number}.example") for number in range(40)]
        assert {usage for usage, _ in answers} == {"train-ai=n"}


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_gunicorns_workers_read_the_registry(preload: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    with Registry(f"sqlite:///{file}") as registry:
        registry.put(OPTED_OUT.for_site("health.example"), by="test")
        with serving((*GUNICORN, *UVICORN_WORKER, *preload), "local", MOUNTED_REGISTRY=str(file)) as url:
            for number in range(20):
                host = f"blog{number}.example"
                registry.put(NO_AI.for_site(host), by="test")
                assert {get(url, "health.example")[0] for _ in range(3)} == {"train-ai=n"}
                deadline = time.monotonic() + 10
                while get(url, host)[0] != "train-ai=n, ai-use=n":
                    assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("app", "server"),
    [
        ("sync", ("uvicorn",)),
        ("aware", ("uvicorn",)),
        ("sync", (*HYPERCORN, "--worker-class", "trio")),
        ("aware", (*HYPERCORN, "--worker-class", "trio")),
        ("aware", (*HYPERCORN, "--worker-class", "asyncio")),
        ("sync", (*GUNICORN, *UVICORN_WORKER)),
    ],
)
def test_a_load_that_raises_what_ends_a_process_ends_no_server(app: str, server: tuple[str, ...]) -> None:
    with serving(server, app) as url:
        workers = {get(url, "blog.example")[1]}
        for fault in ["exit", "interrupt"] * 3:
            usage, worker = get(url, f"{fault}.example")
            assert usage == "train-ai=n"
            workers.add(worker)
        for number in range(10):
            usage, worker = get(url, f"blog{number}.example")
            assert usage == "train-ai=n"
            workers.add(worker)
        assert len(workers) <= 2, "no worker was started in another one's place"
