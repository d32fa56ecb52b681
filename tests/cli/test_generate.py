"""``aipolicy robots`` and ``aipolicy headers``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from protego import Protego

from tests.cli.conftest import Run

BASE = "User-agent: *\nDisallow: /drafts/\n\nUser-agent: GPTBot\nAllow: /\n"


def test_a_preset_becomes_a_robots_txt_on_stdout_and_nothing_on_stderr(aipolicy: Run) -> None:
    done = aipolicy("robots", "--preset", "no-training", "--sitemap", "https://blog.example/sitemap.xml")
    assert (done.returncode, done.stderr) == (0, "")
    rules = Protego.parse(done.stdout)
    assert not rules.can_fetch("https://blog.example/post", "GPTBot")
    assert rules.can_fetch("https://blog.example/post", "Googlebot")
    assert list(rules.sitemaps) == ["https://blog.example/sitemap.xml"]


def test_a_base_is_read_from_a_file_or_stdin_and_merging_again_changes_nothing(
    aipolicy: Run, tmp_path: Path
) -> None:
    (tmp_path / "own.txt").write_text(BASE)
    from_file = aipolicy("robots", "--preset", "no-training", "--base", "own.txt")
    from_stdin = aipolicy("robots", "--preset", "no-training", "--base", "-", stdin=BASE)
    again = aipolicy("robots", "--preset", "no-training", "--base", "-", stdin=from_file.stdout)
    assert from_file.stdout == from_stdin.stdout == again.stdout
    assert "Disallow: /drafts/" in again.stdout


def test_a_licensed_crawler_is_allowed(aipolicy: Run) -> None:
    done = aipolicy("robots", "--preset", "no-training", "--licensed", "gptbot")
    assert Protego.parse(done.stdout).can_fetch("https://blog.example/post", "GPTBot")
    assert not Protego.parse(done.stdout).can_fetch("https://blog.example/post", "CCBot")


def test_robots_as_json(aipolicy: Run) -> None:
    document = json.loads(aipolicy("robots", "--preset", "no-training", "--json").stdout)
    assert set(document) == {"site", "etag", "blocked", "robots_txt"}
    assert "GPTBot" in document["blocked"]
    assert "OAI-SearchBot" not in document["blocked"]


def test_headers_are_printed_one_per_line(aipolicy: Run) -> None:
    assert aipolicy("headers", "--preset", "no-ai").stdout.splitlines() == [
        "X-Robots-Tag: noai, noimageai",
        "Content-Usage: train-ai=n, ai-use=n",
        "tdm-reservation: 1",
    ]


def test_a_switch_turns_a_signal_on_or_off(aipolicy: Run) -> None:
    done = aipolicy("headers", "--preset", "no-training", "--noarchive", "--no-tdm", "--json")
    assert json.loads(done.stdout) == [
        {"name": "X-Robots-Tag", "value": "noai, noimageai"},
        {"name": "X-Robots-Tag", "value": "noarchive"},
        {"name": "Content-Usage", "value": "train-ai=n"},
    ]


def test_headers_of_a_path_have_its_preferences(aipolicy: Run) -> None:
    arguments = ("headers", "--preset", "no-training", "--path", "/press/ train-ai=y")
    assert aipolicy(*arguments, "--at", "/press/kit").stdout == "Content-Usage: train-ai=y\n"
    assert "train-ai=n" in aipolicy(*arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "culprit", "fix"),
    [
        (["robots"], "there is no policy to write", "--preset"),
        (["robots", "--preset", "no-trainig"], "no-trainig", "no-training"),
        (["robots", "--preset", "no-ai", "--licensed", "GTPBot"], "GTPBot", "did you mean 'GPTBot'"),
        (["robots", "--preset", "no-ai", "--sitemap", "/map.xml"], "/map.xml", "absolute URL"),
        (["robots", "--preset", "no-ai", "--path", "/press/ open"], "/press/ open", "train-ai=y"),
        (["robots", "--preset", "no-ai", "--path", "press train-ai=y"], "press", "'/press'"),
        (["robots", "--preset", "no-ai", "--base", "missing.txt"], "missing.txt", "No such file"),
        (["robots", "--site", "blog.example"], "aipolicy.db", "aipolicy set"),
        (["robots", "--site", "blog.example", "--registry", "nonsense"], "nonsense", "sqlite:///"),
        (["headers", "--site", "a.example", "--preset", "no-ai"], "--site", "--base"),
        (["show", "blog.example", "--at", "yesterday"], "yesterday", "2026-10-01T12:00:00Z"),
        (
            ["show", "blog.example", "--at", "0001-01-01T00:00:00+10:00"],
            "0001-01-01T",
            "2026-10-01T12:00:00Z",
        ),
        (
            ["show", "blog.example", "--at", "9999-12-31T23:59:59-10:00"],
            "9999-12-31T",
            "2026-10-01T12:00:00Z",
        ),
        (["set", "blog.example"], "blog.example", "--preset"),
        (["set", "no host", "--preset", "no-ai"], "no host", "blog.example"),
    ],
)
def test_invalid_input_is_an_error_with_the_value_and_the_fix(
    aipolicy: Run, tmp_path: Path, arguments: list[str], culprit: str, fix: str
) -> None:
    done = aipolicy(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert culprit in done.stderr
    assert fix in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir()), "bad input leaves nothing behind"


def test_a_base_that_is_too_large_is_an_error(aipolicy: Run) -> None:
    done = aipolicy("robots", "--preset", "no-training", "--base", "-", stdin="# too long\n" * 50_000)
    assert (done.returncode, done.stdout) == (2, "")
    assert "512000" in done.stderr


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m aipolicy crawlers --json | head -c 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


@pytest.mark.parametrize("command", ["robots", "headers", "set", "show", "history", "crawlers", "demo"])
def test_every_commands_help_shows_an_example(aipolicy: Run, command: str) -> None:
    done = aipolicy(command, "--help")
    assert done.returncode == 0
    assert f"\n  aipolicy {command}" in done.stdout


def test_the_help_of_a_signal_switch_has_its_limits(aipolicy: Run) -> None:
    text = " ".join(aipolicy("robots", "--help").stdout.split())
    assert "Costs ordinary search snippets too" in text


def test_crawlers_are_listed_by_purpose(aipolicy: Run) -> None:
    table = aipolicy("crawlers", "--purpose", "training").stdout
    assert "GPTBot" in table
    assert "Googlebot" not in table
    everything = json.loads(aipolicy("crawlers", "--json").stdout)
    assert {"GPTBot", "Googlebot"} <= {crawler["product_token"] for crawler in everything}
