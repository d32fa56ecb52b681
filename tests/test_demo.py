"""The demo as a stranger meets it: a real server, asked by real clients over real sockets."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.replica.following import eventually


class Demo(NamedTuple):
    welcome: str
    port: int
    registry: str


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    process = subprocess.Popen(
        [sys.executable, "-m", "aipolicy", "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    welcome = ""
    while "Ctrl-C ends it." not in welcome:
        line = process.stdout.readline()
        assert line, f"the demo ended: {welcome}"
        welcome += line
    port = int(re.findall(r"127\.0\.0\.1:(\d+)", welcome)[0])
    registry = re.findall(r"--registry (\S+)", welcome)[0]
    yield Demo(welcome, port, registry)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rest.strip() == ""


def command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return path


def fetch(demo: Demo, host: str, path: str = "/", *options: str) -> str:
    """What curl gets: the head with ``-i``."""
    url = f"http://127.0.0.1:{demo.port}{path}"
    arguments = [command("curl"), "-s", "--max-time", "10", "-H", f"Host: {host}", *options, url]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=True).stdout


def test_the_three_curl_lines_of_the_welcome_work_as_printed(demo: Demo) -> None:
    command("curl")
    lines = [line.strip() for line in demo.welcome.splitlines() if line.startswith("  curl ")]
    assert len(lines) == 3
    outputs = [
        subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
        for line in lines
    ]
    assert "User-agent: GPTBot\n" in outputs[0]
    assert "content-usage: train-ai=n, ai-use=n" in outputs[1]
    assert "Disallow: /drafts/\n" in outputs[2]


def test_every_url_of_the_welcome_is_a_page_with_the_owners_choice(demo: Demo) -> None:
    hosts = re.findall(r"^  http://([\w-]+\.localhost):\d+/ +(.+)$", demo.welcome, re.MULTILINE)
    assert len(hosts) == 7
    for host, about in hosts:
        page = fetch(demo, host, "/", "-i")
        assert page.startswith("HTTP/1.1 200")
        assert about in page


def test_each_blog_answers_as_its_owner_chose(demo: Demo) -> None:
    def blocked(host: str, token: str) -> bool:
        from protego import Protego

        return not Protego.parse(fetch(demo, host, "/robots.txt")).can_fetch(f"http://{host}/post", token)

    table = {
        "opted-out": {"GPTBot": True, "OAI-SearchBot": False, "Googlebot": False},
        "no-ai": {"GPTBot": True, "OAI-SearchBot": True, "Googlebot": False},
        "licensed": {"GPTBot": False, "CCBot": True, "Googlebot": False},
        "discouraged": {"GPTBot": True, "Googlebot": False},
        "private": {"GPTBot": True, "Googlebot": True, "anyone": True},
        "own-rules": {"GPTBot": True, "Googlebot": False},
        "silent": {"GPTBot": False, "Googlebot": False},
    }
    for blog, tokens in table.items():
        for token, expected in tokens.items():
            assert blocked(f"{blog}.localhost", token) is expected, (blog, token)


def test_a_flipped_switch_comes_into_force(demo: Demo) -> None:
    before = fetch(demo, "silent.localhost", "/", "-i")
    arguments = [sys.executable, "-m", "aipolicy", "set", "silent.localhost", "--registry", demo.registry]
    subprocess.run([*arguments, "--preset", "no-training"], check=True, capture_output=True)
    eventually(lambda: "content-usage: train-ai=n" in fetch(demo, "silent.localhost", "/", "-i"))
    subprocess.run([*arguments, "--preset", "unset"], check=True, capture_output=True)
    assert "content-usage" not in before


def test_a_real_crawler_reads_what_we_mean(demo: Demo, tmp_path: Path) -> None:
    """GNU wget obeys robots.txt: it copies an open blog, and of a private one only its robots.txt."""

    def copied(blog: str) -> set[str]:
        folder, url = tmp_path / blog, f"http://127.0.0.1:{demo.port}/"
        options = ["-q", "-r", "-l", "1", "--tries=1", "--timeout=10", f"--header=Host: {blog}.localhost"]
        subprocess.run([command("wget"), *options, "-P", folder, url], timeout=60, check=False)
        return {path.name for path in folder.glob("**/*") if path.is_file()}

    assert copied("opted-out") == {"index.html", "robots.txt", "tdmrep.json"}
    assert copied("private") == {"index.html", "robots.txt"}  # the page it was told to start with


def test_the_registry_behind_it_is_the_one_that_the_command_reads(demo: Demo) -> None:
    arguments = [
        sys.executable,
        "-m",
        "aipolicy",
        "show",
        "licensed.localhost",
        "--registry",
        demo.registry,
        "--json",
    ]
    shown = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert shown["licensed"] == ["GPTBot"]


def test_a_port_in_use_is_told_with_the_fix(demo: Demo) -> None:
    arguments = [sys.executable, "-m", "aipolicy", "demo", "--port", str(demo.port)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert str(demo.port) in done.stderr
    assert "--port 0" in done.stderr
