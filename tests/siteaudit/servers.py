"""Real web servers on loopback that serve the hosts of a test under .localhost."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.rendering import Rendering, render
from aipolicy.signals.headers import as_text

PAGE = "<!doctype html><html><head><title>A post</title></head><body><p>A post</p></body></html>"
NO_TRAINING: Rendering = render(SitePolicy.from_preset("no-training"))
HEADERS = tuple(map(as_text, NO_TRAINING.site.headers))


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install -y {package}")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """Run the server until the end of the block; enter the block once it listens on the port."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, cwd="/")
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > deadline or server.poll() is not None:
                pytest.fail(f"{command[0]} didn't start: {log.read_text()}")
            time.sleep(0.02)
        yield
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=10)


@contextmanager
def nginx(folder: Path, port: int, http: str) -> Iterator[None]:
    """Run nginx with that ``http`` block; temporary files and logs are in ``folder``."""
    found = program("nginx", "nginx-light")
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    # Its workers are another user's otherwise, and the folders of a test run are not open to others.
    user = "user root;\n" if os.geteuid() == 0 else ""
    configuration.write_text(
        f"{user}daemon off; pid {folder}/nginx.pid; error_log stderr;\nevents {{ }}\n"
        f"http {{\n{temporary}access_log off;\nserver_names_hash_bucket_size 128;\n"
        f"types {{ text/html html; text/plain txt; application/json json; }}\n{http}\n}}\n"
    )
    tested = subprocess.run([found, "-t", "-c", configuration], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    with running([found, "-c", str(configuration)], port, folder / "nginx.log"):
        yield


@contextmanager
def caddy(folder: Path, port: int, sites: str) -> Iterator[None]:
    """Run Caddy with those site blocks, without its admin endpoint."""
    found = program("caddy", "caddy")
    configuration = folder / "Caddyfile"
    configuration.write_text(
        f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}/caddy\n}}\n{sites}"
    )
    command = [found, "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with running(command, port, folder / "caddy.log"):
        yield
