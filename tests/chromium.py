"""Headless Chromium, to render pages in a real browser."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class LoadedPage:
    """A page in the browser: its document, console messages, and further requests to the server."""

    document: str
    console: list[str]
    requests: list[str]


@dataclass
class Browser:
    """Headless Chromium, and a local server that serves pages and records every request."""

    folder: Path
    pages: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def open(self, page: str) -> LoadedPage:
        self.pages["/page"] = page
        self.requests.clear()
        done = self._run("--dump-dom", f"{self.url}/page")
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        assert self.requests.pop(0) == "/page"
        return LoadedPage(done.stdout, console, list(self.requests))

    def print(self, page: str) -> bytes:
        self.pages["/page"] = page
        printed = self.folder / "page.pdf"
        self._run(f"--print-to-pdf={printed}", "--no-pdf-header-footer", f"{self.url}/page")
        return printed.read_bytes()

    def width(self, page: str, window: int) -> int:
        """Return the width of the page's content in a window, in CSS pixels."""
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
