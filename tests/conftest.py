"""Fixtures of all tests."""

import os
import signal
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from aipolicy.core.crawlers import PACKAGED, use_table
from tests.chromium import CHROMIUM, Browser
from tests.postgres import OwnServer, Schemas, given_server, own_server

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # pytest-xdist ignores it in its workers, and programs that a test starts would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail skipped tests with AIPOLICY_NO_SKIP=1, for machines on which every optional part is installed."""
    report = yield
    if report.skipped and os.environ.get("AIPOLICY_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and skips are forbidden here: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def nobodys_lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Check clients against the package's lists, not those of the user who runs the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patched.delenv("AIPOLICY_RANGES", raising=False)
        patched.delenv("AIPOLICY_CRAWLERS", raising=False)
        yield


@pytest.fixture(autouse=True)
def packaged_crawlers() -> Iterator[None]:
    """Use the packaged crawler table again after each test, in this process and in those that it starts."""
    yield
    use_table(PACKAGED)
    os.environ.pop("AIPOLICY_CRAWLERS", None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[OwnServer]:
    """A PostgreSQL server for this run; a test that stops it must start it again."""
    server = own_server()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def schemas(request: pytest.FixtureRequest) -> Iterator[Schemas]:
    """A factory of registry URLs on a PostgreSQL server."""
    url = given_server() or request.getfixturevalue("postgres_server").url
    with Schemas(url) as schemas:
        yield schemas


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install -y chromium")
    browser = Browser(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            browser.requests.append(self.path)
            body = browser.pages.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing, because pytest shows failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        browser.url = f"http://127.0.0.1:{server.server_port}"
        yield browser
        server.shutdown()
        thread.join()
