"""``aipolicy crawlers``, ``--crawlers`` and ``--scope``."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result

from aipolicy.cli import main
from aipolicy.cli.crawlers import _about
from aipolicy.core.crawlers import PACKAGED, use_table
from aipolicy.web import fetcher as fetcher_module
from tests.cli.conftest import Run
from tests.identity.list_server import ListServer, LoopbackFetcher, list_server

NEW = {"product_token": "NewAICrawler", "operator": "New AI", "purpose": "training"}
ROBOTS_JSON = {
    "GPTBot": {"operator": "[OpenAI](https://openai.com)", "respect": "Yes", "function": "x"},
    "meta-externalAGENT": {"operator": "Meta", "respect": "Yes", "function": "x"},
    "BrandNewBot": {
        "operator": "[Brand New](https://new.example)",
        "respect": "No",
        "function": "LLM training",
    },
    "Another Bot 2.0": {"operator": "Unclear at this time.", "respect": "Unclear", "function": "x"},
    "brandnewBOT": {"operator": "Brand New"},
    "Code": {"operator": "too common a word"},
    "Google": {"operator": "would shut out Googlebot"},
    "Evil\r\nUser-agent: *\r\nDisallow: /": {"operator": "x"},
    "*": {"operator": "x"},
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "crawlers.json"
    path.write_text(json.dumps({"crawlers": [NEW]}))
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "robots.json"
    path.write_text(json.dumps(ROBOTS_JSON))
    return path


def named_in(robots: str) -> set[str]:
    return {line.partition(": ")[2] for line in robots.splitlines() if line.startswith("User-agent: ")}


def test_the_count_of_each_class_and_the_age_of_the_table_are_shown(aipolicy: Run) -> None:
    documented = sum(not crawler.listed for crawler in PACKAGED.crawlers)
    only_listed = len(PACKAGED.crawlers) - documented
    counts = f"{documented} documented, {only_listed} listed"
    about = f"{len(PACKAGED.crawlers)} crawlers: {counts}. The table was compiled"
    done = aipolicy("crawlers")
    assert done.stderr.startswith(f"{about} on {PACKAGED.compiled}")
    assert aipolicy("crawlers", "--summary").stdout.startswith(about)
    summary = json.loads(aipolicy("crawlers", "--summary", "--json").stdout)
    assert summary["classes"] == {"documented": documented, "listed": only_listed}
    assert summary["compiled"] == PACKAGED.compiled.isoformat()
    assert documented > 80
    entries = json.loads(aipolicy("crawlers", "--class", "listed", "--json").stdout)
    assert len(entries) == only_listed
    assert {each["class"] for each in entries} == {"listed"}
    assert all(each["evidence"] for each in entries)


def test_the_table_is_old_after_half_a_year(aipolicy: Run) -> None:
    young, old = (_about([], PACKAGED, PACKAGED.compiled + timedelta(days)) for days in (180, 181))
    assert "180 days ago" in young
    assert "upgrade aipolicy" not in young
    assert "upgrade aipolicy" in old


def test_every_command_that_uses_the_table_accepts_entries(aipolicy: Run, own: Path, tmp_path: Path) -> None:
    options = ("--crawlers", str(own))
    assert "NewAICrawler" not in named_in(aipolicy("robots", "--preset", "no-training").stdout)
    assert "NewAICrawler" in named_in(aipolicy("robots", "--preset", "no-training", *options).stdout)
    robots = tmp_path / "robots.txt"
    robots.write_text("User-agent: NewAICrawler\nDisallow: /\n")
    explain = ("explain", "robots.txt", "--crawler", "NewAICrawler", "--path", "/")
    assert "not in the crawler table" in aipolicy(*explain).stdout
    explained = aipolicy(*explain, *options).stdout
    assert "not in the crawler table" not in explained
    (tmp_path / "access.log").write_text(
        '192.0.2.1 - - [01/Oct/2026:00:00:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "NewAICrawler/1.0"\n'
    )
    command = ("check", "logs", "access.log", "--robots", "robots.txt", "--json")
    found = json.loads(aipolicy(*command, *options).stdout)
    assert [each["product_token"] for each in found["crawlers"]] == ["NewAICrawler"]
    assert found["crawlers"][0]["operator"] == "New AI"
    assert found["method"]["crawlers_file"] == str(own)
    aipolicy(*command[:-1], *options, "--html", "report.html")
    assert "with the entries in" in (tmp_path / "report.html").read_text()
    again = aipolicy(*command, AIPOLICY_CRAWLERS=str(own))
    assert json.loads(again.stdout)["crawlers"][0]["operator"] == "New AI"
    output = aipolicy(
        "check", "identity", "192.0.2.1", "--user-agent", "NewAICrawler/1", "--no-dns", *options
    )
    assert "NewAICrawler of New AI" in output.stdout
    assert "1 added, 0 corrected" in aipolicy("crawlers", *options).stderr


@pytest.mark.parametrize(
    "command",
    [("robots", "--preset", "no-training"), ("crawlers",), ("check", "logs", "x"), ("crawlers", "update")],
)
def test_an_invalid_file_is_one_line_and_exit_code_2(
    aipolicy: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "bad.json").write_text(json.dumps({"crawlers": [NEW, NEW | {"product_token": "New\n*"}]}))
    done = aipolicy(*command, "--crawlers", "bad.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "Error: crawler table 'bad.json': entry 2: 'New\\n*' is not a valid product token; use"
    )
    assert done.stderr.count("\n") == 1


def test_an_invalid_file_in_the_variable_is_an_error(aipolicy: Run) -> None:
    done = aipolicy("robots", "--preset", "no-training", AIPOLICY_CRAWLERS="no/such/file")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: AIPOLICY_CRAWLERS: crawler table 'no/such/file': it doesn't exist")


def test_lint_reports_open_crawlers_that_are_only_listed(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_text(aipolicy("robots", "--preset", "no-training").stdout)
    assert (
        "  training: 18 blocked, 23 open (23 of them only listed)\n" in aipolicy("lint", "robots.txt").stdout
    )
    explained = aipolicy("explain", "robots.txt", "--crawler", "ISSCyberRiskCrawler", "--path", "/").stdout
    assert "ISSCyberRiskCrawler is only listed for training: neither its operator" in explained


def test_the_scope_is_stored_shown_and_cleared(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training", "--by", "ada")
    assert "EchoboxBot" not in aipolicy("robots", "--site", "blog.example").stdout
    done = aipolicy("set", "blog.example", "--scope", "broad", "--by", "ada")
    assert done.stderr == "blog.example: no-training, scope broad (change 2)\n"
    assert json.loads(aipolicy("show", "blog.example", "--json").stdout)["scope"] == "broad"
    assert "EchoboxBot" in named_in(aipolicy("robots", "--site", "blog.example").stdout)
    aipolicy("set", "blog.example", "--clear", "scope")
    assert "scope" not in json.loads(aipolicy("show", "blog.example", "--json").stdout)
    help_text = " ".join(aipolicy("robots", "--help").stdout.split())
    assert "Some of these have other purposes" in help_text


def test_another_crawler_table_rewrites_the_files_of_all_sites(
    aipolicy: Run, own: Path, tmp_path: Path
) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training", "--by", "ada")
    aipolicy("robots", "--all", "--out", "out")
    file = tmp_path / "out" / "robots" / "og" / "blog.example"
    assert "NewAICrawler" not in file.read_text()
    aipolicy("robots", "--all", "--out", "out", "--crawlers", str(own))
    assert "NewAICrawler" in file.read_text()


def test_a_platform_can_name_listed_crawlers_for_all_sites(aipolicy: Run, tmp_path: Path) -> None:
    """The command in the documentation does so without changing policies."""
    page = (Path(__file__).parents[2] / "docs" / "crawlers.md").read_text()
    (command,) = (line for line in page.splitlines() if line.startswith("$ aipolicy") and "| sed" in line)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-c", command.removeprefix("$ ")], cwd=tmp_path, env={"PATH": path}, check=True, timeout=60
    )
    named = named_in(aipolicy("robots", "--preset", "no-training", "--crawlers", "crawlers.json").stdout)
    assert named == named_in(aipolicy("robots", "--preset", "no-training", "--scope", "broad").stdout)
    assert "EchoboxBot" in named


USER_AGENTS = {
    "chatgpt": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://x",
    "meta": "meta-externalfetcher/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "messages": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) "
    "Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "exalead": "Exabot/3.0 (+http://www.exabot.com/go/robot)",
    "bytespider": "Mozilla/5.0 (Linux) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 "
    "Bytespider;https://zhanzhang.toutiao.com/",
}


def test_user_fetches_are_exempt(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    (tmp_path / "access.log").write_text(
        "".join(
            f'203.0.113.9 - - [01/Oct/2026:10:00:00 +0000] "GET /{name} HTTP/1.1" 200 5 "-" "{user_agent}"\n'
            for name, user_agent in USER_AGENTS.items()
        )
    )
    document = json.loads(aipolicy("check", "logs", "access.log", "--robots", "robots.txt", "--json").stdout)
    counts = {each["product_token"]: (each["exempt"], each["fetches"]) for each in document["crawlers"]}
    assert counts == {"ChatGPT-User": (1, 1), "meta-externalfetcher": (1, 1), "Bytespider": (0, 1)}


def test_a_csv_import_stores_the_scope(aipolicy: Run, tmp_path: Path) -> None:
    (tmp_path / "blogs.csv").write_text("host,opted_out,scope\na.example,1,broad\nb.example,1,\n")
    assert aipolicy("import", "blogs.csv", "--by", "x").returncode == 0
    scopes = [json.loads(aipolicy("show", f"{n}.example", "--json").stdout).get("scope") for n in "ab"]
    assert scopes == ["broad", None]


def test_new_names_are_listed_but_not_accepted(aipolicy: Run, listed: Path, own: Path) -> None:
    before = own.read_text()
    done = aipolicy("crawlers", "update", "--ai-robots-txt", str(listed), "--crawlers", str(own))
    assert done.returncode == 1
    rows = [line.split("  ")[0] for line in done.stdout.splitlines()[1:]]
    assert rows == ["BrandNewBot", "Another Bot"]
    assert done.stdout.count("new, not accepted") == 2
    assert own.read_text() == before
    for refused in ("'Google'", "'*'", "Evil"):
        assert refused in done.stderr


def test_accepted_names_are_listed_for_scope_broad_only(
    aipolicy: Run, listed: Path, own: Path, tmp_path: Path
) -> None:
    command = ("crawlers", "update", "--ai-robots-txt", str(listed), "--crawlers", str(own), "--accept-new")
    done = aipolicy(*command)
    assert done.returncode == 0, done.stderr
    entries = json.loads(own.read_text())["crawlers"]
    assert [each["product_token"] for each in entries] == ["NewAICrawler", "BrandNewBot", "Another Bot"]
    assert [each.get("class") for each in entries] == [None, "listed", "listed"]
    assert [each["operator"] for each in entries[1:]] == ["Brand New", "unknown"]
    options = ("--preset", "no-training", "--crawlers", str(own))
    assert not {"BrandNewBot", "Another Bot"} & named_in(aipolicy("robots", *options).stdout)
    assert {"BrandNewBot", "Another Bot"} < named_in(aipolicy("robots", *options, "--scope", "broad").stdout)
    again = aipolicy(*command)
    assert (again.returncode, len(again.stdout.splitlines())) == (0, 1)
    fresh = ("crawlers", "update", "--ai-robots-txt", str(listed), "--accept-new")
    made = aipolicy(*fresh, AIPOLICY_CRAWLERS=str(tmp_path / "made.json"))
    assert made.returncode == 0
    assert len(json.loads((tmp_path / "made.json").read_text())["crawlers"]) == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--ai-robots-txt", "robots.json", "--accept-new"], "--accept-new needs a file to write"),
        (["--accept-new"], "add --ai-robots-txt"),
        (["--ai-robots-txt", "missing.json"], "--ai-robots-txt 'missing.json': it doesn't exist"),
        (["--ai-robots-txt", "http://x.example/robots.json"], "the URL is not https"),
        (["--ai-robots-txt", "https://localhost:1/robots.json"], "it can't be fetched"),
        (["--ai-robots-txt", "list.json"], "give robots.json of ai.robots.txt"),
        (["--ai-robots-txt", "robots.json", "--operator", "OpenAI"], "are for addresses"),
        (["--ai-robots-txt", "robots.json", "--to", "x"], "--to is for addresses"),
        (["--ai-robots-txt", "robots.json", "--crawlers", "list.json"], "crawler table 'list.json': entry 1"),
        (["--ai-robots-txt", "robots.json", "--crawlers", "no/x.json", "--accept-new"], "can't be written"),
        (["--ai-robots-txt", "robots.json", "--crawlers", ".", "--accept-new"], "it is not a file"),
    ],
)
def test_invalid_sources_of_names_are_bad_input(
    aipolicy: Run, listed: Path, tmp_path: Path, arguments: list[str], named: str
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    done = aipolicy("crawlers", "update", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListServer]:
    with list_server(authority) as lists:

        def fetcher(**_: Any) -> LoopbackFetcher:
            return LoopbackFetcher(lists.origin, lists.trusted)

        monkeypatch.setattr(fetcher_module, "Fetcher", fetcher)
        yield lists


@pytest.fixture
def run() -> Iterator[Callable[..., Result]]:
    yield lambda *arguments: CliRunner().invoke(main, arguments)
    os.environ.pop("AIPOLICY_CRAWLERS", None)
    use_table(PACKAGED)


def test_names_are_read_from_a_url(server: ListServer, run: Callable[..., Result], tmp_path: Path) -> None:
    url = "https://raw.example/robots.json"
    server.put(url, json.dumps(ROBOTS_JSON))
    own = str(tmp_path / "own.json")
    done = run("crawlers", "update", "--ai-robots-txt", url, "--crawlers", own, "--accept-new", "--json")
    assert done.exit_code == 0, done.stderr
    assert [each["product_token"] for each in json.loads(done.stdout)] == ["BrandNewBot", "Another Bot"]
    assert json.loads(Path(own).read_text())["crawlers"][0]["source"] == url
    server.put(url, "gone", status=404)
    failed = run("crawlers", "update", "--ai-robots-txt", url, "--crawlers", own)
    assert failed.exit_code == 2
    assert "answered 404" in failed.stderr
