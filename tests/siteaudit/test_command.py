"""The command ``aipolicy check site``: output, exit codes, and refused addresses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.siteaudit.report import schema
from aipolicy.web import guard
from tests.siteaudit.commands import PAGE, SENT, TEXT, check
from tests.siteaudit.servers import NO_TRAINING
from tests.web.server import Server, answer


def test_a_correct_site_exits_with_0(server: Server) -> None:
    done = check(server.origin, "--allow-private", "--expect", "no-training")
    assert done.exit_code == 0, done.output
    assert f"{server.origin}/: no problems found" in done.stdout
    assert "robots.txt:" in done.stdout


def test_a_difference_exits_with_1_and_is_printed(server: Server) -> None:
    server.answers["/"] = answer(PAGE, "Content-Type: text/html", *SENT[1:])
    done = check(server.origin, "--allow-private", "--expect", "no-training")
    assert done.exit_code == 1
    found = "'X-Robots-Tag: noai, noimageai' is missing from the response"
    assert f"error: header X-Robots-Tag: {found} [header-missing]" in done.stdout
    assert check(server.origin, "--allow-private").exit_code == 0, "without an expectation nothing is missing"
    assert check(server.origin, "--allow-private", "--expect", "no-training", "--no-noai").exit_code == 0
    never = check(server.origin, "--allow-private", "--expect", "no-training", "--fail-on", "never")
    assert never.exit_code == 0


def test_a_difference_that_is_a_warning_exits_with_1(server: Server) -> None:
    server.answers["/"] = answer(PAGE, "Content-Type: text/html", *SENT, "Content-Signal: ai-input=no")
    done = check(server.origin, "--allow-private", "--expect", "no-training")
    assert done.exit_code == 1
    assert "header-added" in done.stdout


def test_warnings_exit_with_1_on_request(server: Server) -> None:
    server.answers["/robots.txt"] = answer(NO_TRAINING.robots.body, TEXT, "Age: 90000")
    assert check(server.origin, "--allow-private").exit_code == 0
    done = check(server.origin, "--allow-private", "--fail-on", "warning")
    assert done.exit_code == 1
    assert "robots-old-copy" in done.stdout


def test_json_is_valid_by_its_schema(server: Server) -> None:
    arguments = [server.origin, f"{server.origin}/missing", "http://127.0.0.1:1", "--allow-private"]
    done = check(*arguments, "--expect", "no-ai", "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema())
    assert done.exit_code == 1
    assert document["expected"] == "--expect no-ai"
    assert document["total"]["sites"] == len(document["sites"]) == 3
    assert document["total"]["not_reached"] == 1
    lines = [
        json.loads(line) for line in check(*arguments, "--expect", "no-ai", "--jsonl").stdout.splitlines()
    ]
    assert sorted(line["url"] for line in lines) == sorted(site["url"] for site in document["sites"])
    for line in lines:
        jsonschema.validate(line, {**schema(), "required": [], "$ref": "#/$defs/site", "properties": {}})


def test_the_report_is_a_file_of_all_sites(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = check(server.origin, f"{server.origin}/missing", "--allow-private", "--html", str(out))
    assert done.exit_code == 0
    text = out.read_text()
    assert f"{server.origin}/missing" in text
    assert "1 of 2 sites has problems with its signals." in text
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_only_the_requested_crawlers_are_reported(server: Server) -> None:
    done = check(server.origin, "--allow-private", "--crawler", "GPTBot", "--crawler", "MyBot", "--json")
    (site,) = json.loads(done.stdout)["sites"]
    assert [(row["crawlers"], row["may_fetch"]) for row in site["crawlers"]] == [
        (["GPTBot"], False),
        (["MyBot"], True),
    ]
    assert not any(row["any_other"] for row in site["crawlers"])


def test_many_urls_come_from_a_file_or_from_stdin(server: Server, tmp_path: Path) -> None:
    lines = "# pages\n" + "".join(f"{server.origin}/{number}\n" for number in range(3))
    (tmp_path / "urls.txt").write_text(lines)
    for given, stdin in ((str(tmp_path / "urls.txt"), ""), ("-", lines)):
        done = check("--file", given, "--allow-private", stdin=stdin)
        assert f"{server.origin}/2: 1 warning" in done.stdout
        assert done.stdout.endswith("3 sites, 3 with warnings only\n")


def test_the_registry_of_the_environment_reports_no_unknown_hosts(server: Server, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url) as registry:
        registry.put(SitePolicy.from_preset("no-training", site="other.example"), by="ada")
    assert check(server.origin, "--allow-private", AIPOLICY_REGISTRY=url).exit_code == 0
    asked = check(server.origin, "--allow-private", "--registry", url)
    assert asked.exit_code == 1
    assert "unknown-site" in asked.stdout
    preset = check(server.origin, "--allow-private", "--expect", "no-training", AIPOLICY_REGISTRY=url)
    assert preset.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the URL is missing"),
        (["ftp://a.example"], "only http and https are supported"),
        (["http://ada:secret@a.example"], "it contains a user name"),
        (["a.example", "--json", "--jsonl"], "both write to stdout"),
        (["a.example", "--registry", "sqlite:///none.db", "--expect", "no-ai"], "use one of them"),
        (["a.example", "--registry", "sqlite:////nowhere/none.db"], "none.db"),
        (["a.example", "--crawler", "*"], "is not a product token"),
        (["a.example", "--html", "/nowhere/report.html"], "/nowhere/report.html"),
        (["--file", "/nowhere/urls.txt"], "give a file of URLs"),
    ],
)
def test_invalid_input_exits_with_2_and_says_what_to_do(arguments: list[str], message: str) -> None:
    done = check(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "secret" not in done.output
    assert "Traceback" not in done.output


PRIVATE = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://blog.localhost:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "http://[fd00::1]/",
]


def test_private_addresses_are_refused_in_every_notation(server: Server) -> None:
    urls = [url.format(port=server.port) for url in PRIVATE]
    done = check(*urls, "--jsonl")
    assert done.exit_code == 2
    sites = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(sites) == len(urls)
    for site in sites:
        assert site["answered"] is False, site["url"]
        assert site["robots_txt"]["failure"] in ("address", "dns", "url"), site["url"]
    assert server.requests == []


def test_names_of_private_addresses_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(guard, "_resolve", looked_up)
    done = check(f"http://innocent.example:{server.port}/")
    assert done.exit_code == 2
    assert "127.0.0.1 is not a public address" in done.stderr
    assert server.requests == []


def test_redirects_to_private_addresses_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the server's address as public, but not those of its redirects."""
    monkeypatch.setattr(guard, "_is_public", lambda address: address == "127.0.0.1")
    for target in (
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://10.0.0.1/",
        "file:///",
    ):
        location = f"Location: {target.format(port=server.port)}"
        server.answers["/"] = server.answers["/robots.txt"] = answer(b"", location, status="302 Found")
        done = check(server.origin, "--json")
        (site,) = json.loads(done.stdout)["sites"]
        assert site["page"]["failure"] == ("scheme" if target.startswith("file") else "address")
        assert site["page"]["bytes"] == 0


def test_terminal_escapes_of_a_site_are_escaped(server: Server) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m\x9b\x08"
    server.answers["/robots.txt"] = answer(
        f"User-agent: {evil}GPTBot\nDisallow: {evil}x\n[bold]: x\n".encode("latin-1"),
        TEXT,
        f"X-Cache: {evil}",
    )
    tag = f"X-Robots-Tag: {evil}, [red]noai[/red]"
    server.answers["/"] = answer(f"<html><meta name=robots content='{evil}'>".encode(), "Via: [link]", tag)
    for arguments in ([server.origin], [server.origin, f"{server.origin}/x"]):
        done = check(*arguments, "--allow-private", "--expect", "no-ai")
        assert done.exit_code == 1
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout)


def test_without_its_libraries_the_error_is_one_command_that_installs_them_all() -> None:
    code = (
        "import sys; sys.modules |= dict.fromkeys(('httpx', 'httpcore', 'justhtml'))\n"
        "from aipolicy.cli import main\n"
        "main(['check', 'site', 'blog.example'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'asgi-aipolicy[check]'" in done.stderr


def test_every_kind_of_finding_is_listed() -> None:
    done = check("--list")
    assert done.exit_code == 0
    assert re.search(r"^robots-stale-copy\s+error\s+A cache serves", done.stdout, re.MULTILINE)
    assert re.search(r"^duplicate-group\s+warning\s", done.stdout, re.MULTILINE)
