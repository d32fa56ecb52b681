"""What a real browser makes of the HTML report."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from aipolicy.check.report import html
from tests.check.report.pages import Page
from tests.check.report.samples import HOSTILE, VERDICTS, by, hostile, many, sample
from tests.check.report.test_page import TEXT_ONLY

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Seen:
    """What the browser did with a page: its document, what it said, what it asked the server for."""

    document: str
    console: list[str]
    asked: list[str]


@dataclass
class Browser:
    """Headless Chromium, and a server on this machine that serves pages and remembers every request."""

    folder: Path
    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def open(self, page: str) -> Seen:
        self.pages["/page"] = page
        self.asked.clear()
        done = self._run("--dump-dom", f"{self.url}/page")
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        assert self.asked.pop(0) == "/page"
        return Seen(done.stdout, console, list(self.asked))

    def print(self, page: str) -> bytes:
        self.pages["/page"] = page
        printed = self.folder / "page.pdf"
        self._run(f"--print-to-pdf={printed}", "--no-pdf-header-footer", f"{self.url}/page")
        return printed.read_bytes()

    def width(self, page: str, window: int) -> int:
        """How wide the page's content is in a window of that width, in CSS pixels."""
        self.pages["/page"] = page
        # A headless window is never narrower than 500 pixels; a frame can be.
        self.pages["/frame"] = f"""<!doctype html><iframe src="/page" width={window} height=800></iframe>
            <script>onload = () => {{ const inside = document.querySelector("iframe").contentDocument;
            document.title = "width " + inside.documentElement.scrollWidth; }}</script>"""
        done = self._run("--dump-dom", f"{self.url}/frame")
        found = re.search(r"<title>width (\d+)</title>", done.stdout)
        assert found
        return int(found[1])

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert CHROMIUM
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--enable-logging=stderr", "--no-proxy-server", "--disable-background-networking",
            "--no-first-run", f"--user-data-dir={self.folder / 'profile'}", *arguments,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install -y chromium")
    browser = Browser(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            browser.asked.append(self.path)
            body = browser.pages.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what failed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.url = f"http://127.0.0.1:{server.server_port}"
        yield browser
        server.shutdown()
        thread.join()


def test_hostile_text_asks_for_nothing_and_stays_text(browser: Browser) -> None:
    trap = f"{browser.url}/trap"
    seen = browser.open(html(hostile(trap)))
    assert seen.console == []
    assert seen.asked == []
    report = Page(seen.document)
    assert {element.tag for element in report.elements} <= TEXT_ONLY
    assert not [name for element in report.elements for name in element.attributes if name.startswith("on")]
    shown = {element.text for element in report.all("bdi")}
    assert set(HOSTILE[:6]) | {trap, f'"><img src="{trap}"><style>@import "{trap}"</style>'} <= shown


def test_every_kind_of_report_opens_without_a_complaint(browser: Browser) -> None:
    for document in (sample(), sample(many(60), days=120), sample(by=by("site", ("a.example",)))):
        seen = browser.open(html(document))
        assert (seen.console, seen.asked) == ([], [])


def test_the_page_s_own_policy_stops_what_would_get_in(browser: Browser) -> None:
    """The harness sees a violation, and the policy is in force."""
    page = html(sample(("GPTBot",)))
    trap = f"{browser.url}/trap"
    broken = page.replace(
        "<main>", f'<main><p style="color: red"></p><img src="{trap}"><script>fetch("{trap}")</script>'
    )
    seen = browser.open(broken)
    assert len(seen.console) == 3
    assert all("Content Security Policy" in line for line in seen.console)
    assert seen.asked == []
    without = broken.replace("Content-Security-Policy", "X-Nothing")
    assert "/trap" in browser.open(without).asked


@pytest.mark.parametrize("window", [390, 800, 1000, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, window: int) -> None:
    huge = sample(many(3), by=by("site", ("a.example",)))
    for counters in (huge["total"], *huge["crawlers"], *huge["by"]["rows"]):
        counters |= dict.fromkeys(("fetches", *VERDICTS), 123_456_789)
    for document in (sample(many(20), days=120), hostile(), huge):
        assert browser.width(html(document), window) <= window


def test_it_prints(browser: Browser) -> None:
    pages = re.findall(rb"/Type\s*/Page\b", browser.print(html(sample())))
    assert 4 <= len(pages) <= 20
