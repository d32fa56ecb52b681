"""Logs written by real servers, compared with the requests that were sent."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from aipolicy.accesslog.formats import LogFormat, detect_format, parse_format
from tests.accesslog.formats.parsing import GPTBOT

pytestmark = pytest.mark.slow

NGINX = {
    "combined": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"',
    "vcombined": '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    "custom": '$msec|$server_name|$host|$remote_addr|$status|"$request_uri"|"$http_user_agent"|'
    "$http_x_forwarded_for",
    "json:nginx": '{"time":"$time_iso8601","remote_addr":"$remote_addr","host":"$host","request":"$request",'
    '"status":$status,"http_user_agent":"$http_user_agent","http_x_forwarded_for":"$http_x_forwarded_for"}',
}
APACHE = {
    "vcombined": '%V:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    "combined": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i"',
    "custom": '%V %a [%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t %{%z}t] "%r" %>s %{X-Forwarded-For}i '
    '"%{User-Agent}i"',
}


@dataclass(frozen=True)
class Sent:
    """A request in bytes."""

    path: str
    user_agent: str
    host: str = "blog.example"

    @property
    def data(self) -> bytes:
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: {self.user_agent}\r\n"
        return f"{head}X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nConnection: close\r\n\r\n".encode()


SENT = [
    Sent("/post/1?a=b", GPTBOT),
    Sent("/post/2", f'{GPTBOT} "quoted" \\ and \\x22'),
    Sent('/a"b\\c?d="e"', GPTBOT, host="other.example"),
    Sent("/p%C3%B6st/%22", f"{GPTBOT} höflich"),
    Sent("/injected", f'" 200 5 "-" "{GPTBOT}'),
]
BROKEN = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03GPTBot\r\n\r\n", b"GPTBot\r\n\r\n")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: int = listener.getsockname()[1]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in (tmp_path, *tmp_path.parents[:4]):
        if each.stat().st_mode & 0o055 != 0o055:  # a server's workers may be another user
            each.chmod(0o755)
    return tmp_path


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install -y {name}")
    return found


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serving(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        deadline = time.monotonic() + 60
        while not reachable(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{command[0]} didn't start")
            time.sleep(0.02)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=10)


def send(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        while connection.recv(65536):
            pass


def written(log: Path, number: int) -> list[str]:
    """Wait for a log, and return its lines."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        if len(lines) >= number:
            return lines
        time.sleep(0.02)
    pytest.fail(f"{log.name} has {len(lines)} lines, not {number}")


def check(found: LogFormat | None, lines: list[str], started: float) -> None:
    """Check that each request is read as it was sent, and that invalid requests are unreadable."""
    assert found is not None
    table = found.parse(pl.Series(lines))
    # The first line is that of the probe, which sends nothing, where a server writes one.
    ours = table.filter(pl.col("user_agent").str.contains("GPTBot"))
    assert ours["ok"].all()
    assert ours["path"].to_list() == [each.path for each in SENT]
    assert ours["user_agent"].to_list() == [each.user_agent for each in SENT]
    if found.has_host:
        hosts = ours["host"].str.replace(":[0-9]+$", "")
        assert hosts.to_list() == [each.host for each in SENT]
    assert set(ours["address"]) == {"127.0.0.1"}
    assert ours["status"].is_in([200, 404]).all()
    assert (ours["time"] / 1e6).is_between(started - 1, time.time() + 1).all()
    assert not table.filter(pl.col("user_agent").is_null())["ok"].any()
    if found.has_forwarded:
        for number, address in enumerate(("127.0.0.1", "198.51.100.7", "203.0.113.9", None)):
            table = found.parse(pl.Series(lines), forwarded=number).filter("ok")
            assert set(table["address"]) == {address}


def test_logs_of_nginx_are_read(folder: Path, port: int) -> None:
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    logs = "".join(
        f"log_format of{at} {'escape=json ' if name.startswith('json') else ''}'{text}';\n"
        f"access_log {folder}/{name}.log of{at};\n"
        for at, (name, text) in enumerate(NGINX.items())
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\nevents {{ }}\n"
        f"http {{\n{temporary}{logs}server {{ listen 127.0.0.1:{port}; root {folder}; }}\n}}\n"
    )
    started = time.time()
    with serving([program("nginx"), "-c", str(configuration)], port):
        for data in (*(request.data for request in SENT), *BROKEN):
            send(port, data)
        lines = {name: written(folder / f"{name}.log", len(SENT) + len(BROKEN)) for name in NGINX}
    for name in NGINX:
        found = parse_format(NGINX["custom"]) if name == "custom" else detect_format(lines[name])
        assert found is not None
        assert found.name == name
        check(found, lines[name], started)
        check(parse_format(NGINX[name]), lines[name], started)


def test_logs_of_apache_are_read(folder: Path, port: int) -> None:
    apache = program("apache2")
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "mime")
    )
    (folder / "mime.types").write_text("text/html html\n")
    logs = "".join(
        f'CustomLog {folder}/{name}.log "{text.replace(chr(34), chr(92) + chr(34))}"\n'
        for name, text in APACHE.items()
    )
    configuration = folder / "httpd.conf"
    configuration.write_text(
        f"{modules}ServerName fallback.example\nPidFile {folder}/httpd.pid\nErrorLog {folder}/error.log\n"
        f"DefaultRuntimeDir {folder}\nTypesConfig {folder}/mime.types\nListen 127.0.0.1:{port}\n"
        f"User www-data\nGroup www-data\nDocumentRoot {folder}\nHttpProtocolOptions Unsafe\n"
        f"UseCanonicalName Off\n{logs}"
    )
    started = time.time()
    with serving([apache, "-X", "-f", str(configuration)], port):
        for data in (*(request.data for request in SENT), *BROKEN):
            send(port, data)
        lines = {name: written(folder / f"{name}.log", len(SENT) + len(BROKEN)) for name in APACHE}
    for name in APACHE:
        found = parse_format(APACHE["custom"]) if name == "custom" else detect_format(lines[name])
        assert found is not None
        assert found.name == name
        check(found, lines[name], started)
        check(parse_format(APACHE[name]), lines[name], started)


def test_logs_of_caddy_are_read(folder: Path, port: int) -> None:
    configuration = folder / "Caddyfile"
    configuration.write_text(
        f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}/caddy\n}}\n"
        f"http://:{port} {{\n\tlog {{\n\t\toutput file {folder}/access.log\n\t}}\n\trespond ok\n}}\n"
    )
    started = time.time()
    with serving([program("caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)], port):
        for data in (*(request.data for request in SENT), *BROKEN):
            send(port, data)
        lines = written(folder / "access.log", len(SENT))
    found = detect_format(lines)
    assert found is not None
    assert found.name == "json:caddy"
    check(found, lines, started)
