"""``aipolicy lint``, ``diff`` and ``explain``."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aipolicy.robotstxt import KINDS
from tests.cli.conftest import Run

BLOCKED = "User-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n"
WRONG = "User-agent: *\nDisallow: private\n"
DELAYED = "User-agent: *\nAllow: /\nSitemap: /map.xml\n"  # a warning, no error


def test_lint_prints_line_mistake_effect_and_fix_and_fails(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_text(WRONG)
    done = aipolicy("lint", "robots.txt")
    assert (done.returncode, done.stderr) == (1, "")
    assert "error: line 2: 'Disallow: private'" in done.stdout
    assert "    fix: Disallow: /private\n" in done.stdout
    assert done.stdout.endswith("robots.txt: 1 error\n")


def test_lint_of_a_valid_file_passes_and_lists_the_crawlers_shut_out(aipolicy: Run) -> None:
    done = aipolicy("lint", "-", stdin=BLOCKED.replace("GPTBot", "ClaudeBot"))
    assert done.returncode == 0
    assert "\n    blocked: ClaudeBot\n" in done.stdout
    assert "search-engine: 16 open" in done.stdout


@pytest.mark.parametrize(
    ("text", "fail_on", "code"),
    [
        (WRONG, "error", 1),
        (WRONG, "never", 0),
        (DELAYED, "error", 0),
        (DELAYED, "warning", 1),
        (BLOCKED, "warning", 0),
    ],
)
def test_fail_on_selects_the_findings_that_fail(aipolicy: Run, text: str, fail_on: str, code: int) -> None:
    assert aipolicy("lint", "-", "--fail-on", fail_on, stdin=text).returncode == code


def test_a_generated_file_passes_with_fail_on_warning(aipolicy: Run) -> None:
    generated = aipolicy("robots", "--preset", "no-ai").stdout
    assert aipolicy("lint", "-", "--fail-on", "warning", stdin=generated).returncode == 0


def test_lint_as_json(aipolicy: Run) -> None:
    document = json.loads(aipolicy("lint", "-", "--json", stdin=WRONG).stdout)
    assert set(document) == {"source", "findings", "more", "coverage", "disobedient"}
    (finding,) = document["findings"]
    assert set(finding) == {"id", "severity", "lines", "found", "effect", "fix"}
    assert (finding["id"], finding["lines"]) == ("path-without-slash", [2])
    assert "GPTBot" in document["coverage"]["training"]["open"]


def test_the_kinds_of_findings_are_listed(aipolicy: Run) -> None:
    done = aipolicy("lint", "--list")
    assert done.returncode == 0
    assert all(kind in done.stdout for kind in KINDS)


@pytest.mark.parametrize(
    "arguments", [["lint", "-"], ["lint", "-", "--json"], ["explain", "-"], ["diff", "-", "empty"]]
)
def test_control_characters_of_a_file_are_escaped(
    aipolicy: Run, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "empty").touch()
    evil = "User-agent: \x1b[31mred\u202e\nDisallow: /\x07\x9b31m # \x1b]0;x\x07\nX\x1b[2J: y\n\x1b[2J\n"
    if arguments[0] == "explain":
        arguments = [*arguments, "--crawler", "\x1b[31mred\u202e", "--path", "/\x07\x9b31m"]
    done = aipolicy(*arguments, stdin=evil)
    assert done.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(done.stdout + done.stderr)


def test_output_is_escaped_for_a_terminal_without_unicode(aipolicy: Run) -> None:
    done = aipolicy(
        "lint", "-", stdin=f"User-agent: *\nDisallow: {'é' * 200}\n", PYTHONIOENCODING="ascii:strict"
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_diff_lists_crawlers_and_paths(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("User-agent: *\nAllow: /\n")
    done = aipolicy("diff", "old.txt", "-", stdin=BLOCKED)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "GPTBot\n  may no longer fetch: /, /2026/a-post, /x\n"


def test_diff_of_equivalent_files_passes(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text(
        "# before\nuser-agent: *\nallow: /\n\nuser-agent: gptbot\ndisallow: /\n"
    )
    done = aipolicy("diff", "old.txt", "-", stdin=BLOCKED)
    assert (done.returncode, done.stdout) == (0, "no difference in effect\n")


def test_diff_as_json(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("User-agent: *\nContent-Signal: ai-train=no\nDisallow: /a\n")
    done = aipolicy("diff", "old.txt", "-", "--json", stdin="User-agent: *\nAllow: /\n")
    (difference,) = json.loads(done.stdout)
    assert difference["all_others"] is True
    assert difference["now_allowed"] == ["/a", "/ax"]
    assert difference["no_longer_allowed"] == []
    assert difference["signals"] == [{"where": "Content-Signal", "before": "ai-train=no", "after": ""}]


def test_explain_names_the_group_and_the_rule(aipolicy: Run) -> None:
    done = aipolicy("explain", "-", "--crawler", "gptbot", "--path", "/post/1", stdin=BLOCKED)
    assert (done.returncode, done.stderr) == (0, "")
    first, group, rule, *_ = done.stdout.splitlines()
    assert first == "gptbot may not fetch /post/1"
    assert group == "  group: line 1: names it"
    assert rule == "  rule: line 2: Disallow: /"
    assert done.stdout.count("it may not (line 2)") == 4


def test_explain_as_json_has_the_other_dialects(aipolicy: Run) -> None:
    arguments = ("explain", "-", "--crawler", "Applebot-Extended", "--path", "/x", "--json")
    document = json.loads(aipolicy(*arguments, stdin="User-agent: Applebot\nDisallow: /\n").stdout)
    assert (document["allowed"], document["group"]["because"], document["rule"]) == (True, "none", None)
    assert document["families"]["google"] == {"allowed": True, "line": None}
    assert document["families"]["protego"] == {"allowed": False, "line": 2}


@pytest.mark.parametrize(
    ("arguments", "culprit", "fix"),
    [
        (["lint", "missing.txt"], "missing.txt", "http(s) URL"),
        (["lint", "."], "'.'", "http(s) URL"),
        (["lint", "ftp://blog.example/robots.txt"], "ftp://", "https://blog.example"),
        (["lint", "http://[::1"], "http://[::1", "https://blog.example"),
        (["lint", "http://127.0.0.1:1"], "127.0.0.1:1/robots.txt", "address"),
        (["lint", "file:///etc/passwd"], "file:///etc/passwd", "https://blog.example"),
        (["diff", "-", "-"], "-", "file"),
        (["explain", "-", "--crawler", "*", "--path", "/"], "*", "GPTBot"),
        (["explain", "-", "--crawler", "GPTBot", "--path", "post"], "post", "/post/1"),
    ],
)
def test_invalid_input_is_an_error_with_the_value_and_the_fix(
    aipolicy: Run, arguments: list[str], culprit: str, fix: str
) -> None:
    done = aipolicy(*arguments, no_proxy="*")
    assert (done.returncode, done.stdout) == (2, "")
    assert culprit in done.stderr
    assert fix in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["lint", "diff", "explain"])
def test_every_commands_help_shows_an_example(aipolicy: Run, command: str) -> None:
    assert f"\n  aipolicy {command}" in aipolicy(command, "--help").stdout


class _Site(BaseHTTPRequestHandler):
    """A site that answers by path."""

    def do_GET(self) -> None:
        host = self.headers["Host"]
        redirects = {
            "/moved": "/robots.txt",
            "/away": "file:///etc/passwd",
            **{f"/hop{n}": f"http://{host}/hop{n + 1}" for n in range(9)},
            "/five": "/four", "/four": "/three", "/three": "/two", "/two": "/one", "/one": "/robots.txt",
        }  # fmt: skip
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.end_headers()
        elif self.path == "/robots.txt":
            self._answer(BLOCKED.encode())
        elif self.path == "/huge":
            self._answer(b"User-agent: *\nAllow: /\n" + b"#\n" * 5_000_000)
        elif self.path == "/slow":
            self._slowly()
        else:
            self.send_error(503 if self.path == "/down" else 404)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # it has read enough
            return

    def _slowly(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(60):
                self.wfile.write(b"#\n")
                self.wfile.flush()
                time.sleep(0.5)
        except OSError:  # it has waited enough
            return

    def log_message(self, *args: object) -> None:
        """Don't log."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("path", ["", "/", "/robots.txt", "/moved", "/five"])
def test_a_url_is_fetched_and_redirects_are_followed(aipolicy: Run, site: str, path: str) -> None:
    done = aipolicy("lint", f"{site}{path}", no_proxy="*")
    assert (done.returncode, done.stderr) == (0, "")
    assert "blocked: GPTBot" in done.stdout


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none", "answered 404: to crawlers that means a site without rules"),
        ("/down", "answered 503: crawlers must then fetch nothing from the site"),
        ("/hop0", "more than 5 redirects"),
        ("/away", "or one that is not to http or https"),
    ],
)
def test_a_response_without_a_robots_txt_is_an_error(
    aipolicy: Run, site: str, path: str, message: str
) -> None:
    done = aipolicy("lint", f"{site}{path}", no_proxy="*")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_reading_stops_when_the_file_is_too_large(aipolicy: Run, site: str) -> None:
    done = aipolicy("lint", f"{site}/huge", no_proxy="*")
    assert done.returncode == 1
    assert "[file-too-large]" in done.stdout


@pytest.mark.slow
def test_an_endless_response_times_out(aipolicy: Run, site: str) -> None:
    done = aipolicy("lint", f"{site}/slow", no_proxy="*")
    assert done.returncode == 2
    assert "bytes in 10 s; try again" in done.stderr
