"""Make the screenshots of the documentation from the demo's blogs: ``python scripts/screenshots.py``.

They are written to docs/images. Needs Chromium, and Pillow to compress the files.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aipolicy.demo import fill
from aipolicy.registry import Registry

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START = datetime(2026, 10, 1, tzinfo=UTC)

# Crawlers of the log: User-Agent, address, hosts and requests a day. 8.8.8.8 is nobody's crawler.
CLIENTS = (
    ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "132.196.86.1", "robots", 9),
    ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "8.8.8.8", "", 4),
    ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "216.73.216.5", "robots", 6),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", "198.51.100.7", "robots", 3),
    ("Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)", "198.51.100.9", "", 7),
    ("Mozilla/5.0 (compatible; Amazonbot/0.1)", "3.81.253.213", "robots", 2),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "66.249.66.1", "robots", 8),
    ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "198.51.100.20", "", 20),
)
OBEDIENT = ("ClaudeBot", "CCBot", "Amazonbot")


def log_lines() -> Iterator[str]:
    """Return an access log of five days on three blogs, with the host in front of each line."""
    for day in range(5):
        for number, (agent, address, robots, count) in enumerate(CLIENTS):
            for blog in ("opted-out", "licensed", "silent"):
                for request in range(count):
                    at = START + timedelta(days=day, hours=number, minutes=7 * request)
                    path, size = f"/posts/{day}-{request}", 8000 + 100 * request
                    if robots and request == 0:
                        path, size = "/robots.txt", 3000
                    elif blog != "silent" and any(name in agent for name in OBEDIENT):
                        continue
                    stamp = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
                    yield (
                        f"{blog}.localhost:443 {address} - - [{stamp}] "
                        f'"GET {path} HTTP/1.1" 200 {size} "-" "{agent}"'
                    )


def aipolicy(*arguments: str) -> None:
    """Run a command; findings (exit code 1) are not a failure here."""
    done = subprocess.run(
        [sys.executable, "-m", "aipolicy", *arguments], stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode > 1:
        raise SystemExit(f"aipolicy {' '.join(arguments)} failed")


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """Run the demo; yield its port and the URL of its registry."""
    command = [sys.executable, "-u", "-m", "aipolicy", "demo", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    welcome = ""
    while "Ctrl-C" not in welcome:
        welcome += process.stdout.readline()
    try:
        yield re.findall(r"localhost:(\d+)/", welcome)[0], re.findall(r"--registry (\S+)", welcome)[0]
    finally:
        process.terminate()
        process.wait()


def screenshot(url: str, name: str, width: int, height: int, folder: Path) -> None:
    """Write docs/images/NAME.png, in few colours to keep it small."""
    assert CHROMIUM, "install chromium"
    if width < 500:  # a headless window is never narrower; a frame can be
        frame = folder / f"{name}.html"
        frame.write_text(
            f'<!doctype html><style>body{{margin:0}}</style><iframe src="{url}" width="{width}" '
            f'height="{height}" style="border:0"></iframe>'
        )
        url = frame.as_uri()
    png = IMAGES / f"{name}.png"
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server",
        "--disable-background-networking", "--no-first-run", "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}", f"--screenshot={png}",
        url,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    from PIL import Image

    with Image.open(png) as image:
        cropped = image.crop((0, 0, min(width, image.width), image.height))
        cropped.convert("RGB").quantize(64).save(png, optimize=True)
    print(f"{png.relative_to(IMAGES.parent.parent)}: {png.stat().st_size / 1000:.0f} kB")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        past = f"sqlite:///{folder / 'past.db'}"
        with Registry(past, clock=lambda: START - timedelta(days=10)) as registry:
            fill(registry)
        log, report = folder / "access.log", folder / "logs.html"
        log.write_text("\n".join(log_lines()) + "\n")
        aipolicy("check", "logs", str(log), "--registry", past, "--html", str(report), "--fail-on", "never")
        screenshot(report.as_uri(), "report-logs", 1000, 1060, folder)
        with demo() as (port, registry_url):
            url = f"http://opted-out.localhost:{port}/"
            audit = folder / "site.html"
            site = ["--allow-private", "--delay", "0", "--registry", registry_url, "--html", str(audit)]
            aipolicy("check", "site", url, *site, "--fail-on", "never")
            screenshot(audit.as_uri(), "report-site", 1000, 1000, folder)
            silent = f"http://silent.localhost:{port}/"
            host = {"Host": f"silent.localhost:{port}"}
            server = f"http://127.0.0.1:{port}"
            flip = urllib.request.Request(f"{server}/flag", b"choice=other", host)
            with urllib.request.urlopen(flip) as response:  # follows the redirect to the page
                assert response.url == f"{server}/"
            with urllib.request.urlopen(urllib.request.Request(server, headers=host)) as response:
                page = folder / "demo.html"  # in a frame, which the demo itself doesn't allow
                page.write_bytes(response.read())
            screenshot(silent, "demo", 800, 900, folder)
            screenshot(page.as_uri(), "demo-narrow", 360, 900, folder)


if __name__ == "__main__":
    main()
