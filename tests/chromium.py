"""Headless Chromium, to see what a real browser makes of a report."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

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
