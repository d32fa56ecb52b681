"""The demo over real sockets: its pages, its button, curl, wget and Chromium."""

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

from aipolicy.demo import BLOGS
from tests.chromium import Browser
from tests.replica.helpers import eventually


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
    while "Press Ctrl-C to stop." not in welcome:
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
    """Return the response that curl gets; ``-i`` includes the headers."""
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


def test_the_server_lists_the_blogs_at_its_address(demo: Demo) -> None:
    page = fetch(demo, f"127.0.0.1:{demo.port}", "/", "-i")
    assert page.startswith("HTTP/1.1 200")
    assert "gets the default policy" in page
    assert all(f"http://{blog.host}:{demo.port}/" in page for blog in BLOGS)
    assert fetch(demo, f"127.0.0.1:{demo.port}", "/nothing", "-i").startswith("HTTP/1.1 404")


def test_a_flipped_switch_comes_into_force(demo: Demo) -> None:
    before = fetch(demo, "silent.localhost", "/", "-i")
    arguments = [sys.executable, "-m", "aipolicy", "set", "silent.localhost", "--registry", demo.registry]
    subprocess.run([*arguments, "--preset", "no-training"], check=True, capture_output=True)
    eventually(lambda: "content-usage: train-ai=n" in fetch(demo, "silent.localhost", "/", "-i"))
    subprocess.run([*arguments, "--preset", "unset"], check=True, capture_output=True)
    assert "content-usage" not in before


def test_the_button_changes_the_policy_and_the_page_says_how_long_it_took(demo: Demo) -> None:
    page = fetch(demo, "silent.localhost")
    assert "(none: the owner said nothing)" in page
    choice = re.findall(r'name="choice" value="(\w+)"', page)
    after = fetch(demo, "silent.localhost", "/flag", "-L", "-d", f"choice={choice[0]}")
    assert "now: <strong>no AI training</strong>" in after
    assert "content-usage: train-ai=n" in after
    assert "User-agent: GPTBot\n" in after
    assert "User-agent: GPTBot\n" in fetch(demo, "silent.localhost", "/robots.txt")
    measured = re.findall(r"was stored in ([\d.]+) ms and was in force ([\d.]+) ms later", after)
    assert [float(milliseconds) >= 0 for milliseconds in measured[0]] == [True, True]
    back = re.findall(r'name="choice" value="(\w+)"', after)
    assert "(none: the owner said nothing)" in fetch(
        demo, "silent.localhost", "/flag", "-L", "-d", f"choice={back[0]}"
    )


@pytest.mark.parametrize("blog", ["licensed", "discouraged", "private", "no-ai", "own-rules", "opted-out"])
def test_every_blogs_button_switches_to_unset_and_back(demo: Demo, blog: str) -> None:
    host = f"{blog}.localhost"
    first, first_robots = fetch(demo, host), fetch(demo, host, "/robots.txt")
    silent = fetch(demo, host, "/flag", "-L", "-d", "choice=other")
    assert "(none: the owner said nothing)" in silent
    again = fetch(demo, host, "/flag", "-L", "-d", "choice=first")
    assert re.sub(r'<p class="measured">.*?</p>', "", again) == re.sub(
        r'<p class="measured">.*?</p>', "", first
    )
    assert fetch(demo, host, "/robots.txt") == first_robots


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("-d", "choice=first", "-H", "Origin: https://evil.example"), 403),
        (("-d", "choice=neither"), 400),
        (("-d", "choice=first" + "&" * 2000), 400),
        (("-X", "GET"), 404),
    ],
)
def test_a_bad_form_changes_nothing(demo: Demo, options: tuple[str, ...], status: int) -> None:
    answer = fetch(demo, "silent.localhost", "/flag", "-i", *options)
    assert answer.startswith(f"HTTP/1.1 {status}")
    assert "content-usage" not in fetch(demo, "silent.localhost", "/", "-i")


def test_the_page_needs_no_other_server_and_no_script(demo: Demo) -> None:
    page = fetch(demo, "opted-out.localhost", "/", "-i")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href|action)="([^"]+)"', page)) == {
        "/flag",
        "/robots.txt",
        "/.well-known/tdmrep.json",
        *(f"http://{blog.host}/" for blog in BLOGS),
    }


@pytest.mark.parametrize("window", [360, 1200])
@pytest.mark.parametrize("blog", ["opted-out", "private"])
def test_the_page_fits_its_window(demo: Demo, browser: Browser, blog: str, window: int) -> None:
    assert browser.width(fetch(demo, f"{blog}.localhost"), window) <= window


def test_wget_obeys_the_robots_txt(demo: Demo, tmp_path: Path) -> None:
    """GNU wget copies an open blog, and only the robots.txt of a private one."""

    def copied(blog: str) -> set[str]:
        folder, url = tmp_path / blog, f"http://127.0.0.1:{demo.port}/"
        options = ["-q", "-r", "-l", "1", "--tries=1", "--timeout=10", f"--header=Host: {blog}.localhost"]
        subprocess.run([command("wget"), *options, "-P", folder, url], timeout=60, check=False)
        return {path.name for path in folder.glob("**/*") if path.is_file()}

    assert copied("opted-out") == {"index.html", "robots.txt", "tdmrep.json"}
    assert copied("private") == {"index.html", "robots.txt"}  # the page it was told to start with


def test_the_commands_read_the_registry_of_the_demo(demo: Demo) -> None:
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


def test_a_port_in_use_is_an_error_with_the_fix(demo: Demo) -> None:
    arguments = [sys.executable, "-m", "aipolicy", "demo", "--port", str(demo.port)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert str(demo.port) in done.stderr
    assert "--port 0" in done.stderr
