"""What tests of reports have in common."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.check.chromium import CHROMIUM, Browser


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
