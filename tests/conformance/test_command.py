"""``aipolicy check crawler`` as a process, with crawlers that are processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aipolicy.conformance import CLAUSES
from tests.conformance.processes import assert_ended, needs_setsid

ROOT = Path(__file__).parents[2]
CRAWLER = (sys.executable, "-m", "tests.conformance.crawler", "{url}")

needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="curl is not installed: apt-get install curl"
)


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aipolicy", "check", "crawler", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def few(*ids: str) -> list[str]:
    return [f"--only={name}" for name in ids]


def test_an_obedient_crawler_passes_and_its_token_is_learned() -> None:
    done = check(*few("own-name", "own-group", "dropped"), "--json", "--", *CRAWLER)
    document = json.loads(done.stdout)
    assert done.returncode == 0, done
    assert (document["product_token"], document["product_token_from"]) == (
        "TestCrawler",
        "the group that it obeys",
    )
    assert document["user_agents"] == ["TestCrawler/1.0 (a test)"]
    assert [clause["verdict"] for clause in document["clauses"]] == ["obeys"] * 3


def test_disobedience_is_shown_with_the_request_and_the_rule() -> None:
    done = check(*few("wildcard", "cr"), "--token=TestCrawler", "--json", "--", *CRAWLER, "cr")
    assert done.returncode == 1
    wildcard, ends = json.loads(done.stdout)["clauses"]
    assert (wildcard["verdict"], wildcard["request"], wildcard["rule"]) == ("obeys", None, None)
    assert ends["verdict"] == "disobeys"
    request = {key: ends["request"][key] for key in ("method", "target", "user_agent")}
    assert request == {"method": "GET", "target": "/closed.html", "user_agent": "TestCrawler/1.0 (a test)"}
    assert ends["rule"] == {"line": 2, "text": "Disallow: /closed.html"}
    assert (ends["section"], ends["level"]) == ("2.2", "MUST")


@pytest.mark.parametrize("clause", ["path-case", "hex-case", "no-last-newline"])
def test_breaking_a_should_or_an_implied_clause_fails_only_with_strict(clause: str) -> None:
    arguments = [*few(clause, "query"), "--token=TestCrawler"]
    done = check(*arguments, "--json", "--", *CRAWLER, clause)
    assert done.returncode == 0
    assert json.loads(done.stdout)["counts"]["departs"] == 1
    assert check(*arguments, "--strict", "--", *CRAWLER, clause).returncode == 1
    assert check(*arguments, "--strict", "--fail-on=never", "--", *CRAWLER, clause).returncode == 0


def test_a_required_clause_is_tested_but_not_reported() -> None:
    done = check(
        *few("record-between-names"), "--token=TestCrawler", "--json", "--", *CRAWLER, "shared-group"
    )
    (clause,) = json.loads(done.stdout)["clauses"]
    assert (clause["verdict"], clause["reason"]) == (
        "not tested",
        "it requires the clause shared-group, which is not obeyed",
    )


@pytest.mark.parametrize("claims", [(), ("--claims=bom",)])
def test_a_byte_order_mark_counts_only_if_claimed(claims: tuple[str, ...]) -> None:
    done = check(*few("bom", "query"), "--token=TestCrawler", "--json", *claims, "--", *CRAWLER, "bom")
    (bom,) = (clause for clause in json.loads(done.stdout)["clauses"] if clause["id"] == "bom")
    assert (bom["verdict"], done.returncode) == (("disobeys", 1) if claims else ("not supported", 0))


def test_random_sites_are_reported_with_the_smallest_robots_txt() -> None:
    arguments = ("--no-clauses", "--random=8", "--seed=9309", "--jobs=8", "--token=TestCrawler")
    done = check(*arguments, "--json", "--", *CRAWLER, "sitemap-record")
    random = json.loads(done.stdout)["random"]
    assert done.returncode == 1
    assert (random["sites"], random["seed"], random["tested"]) == (8, 9309, 8)
    first = random["disagreements"][0]
    assert (first["verdict"], first["section"]) == ("disobeys", "2.2.4")
    assert first["robots_txt"].splitlines()[first["rule"]["line"] - 1] == first["rule"]["text"]
    assert len(first["robots_txt"].splitlines()) == 3


def test_an_obedient_crawler_passes_random_sites() -> None:
    arguments = ("--no-clauses", "--random=3", "--token=TestCrawler")
    done = check(*arguments, "--", *CRAWLER)
    assert done.returncode == 0, done.stdout
    assert "3 random sites with --seed " in done.stdout
    assert "it obeys on all of them" in done.stdout


@needs_curl
def test_fetching_only_the_start_page_is_not_a_crawl() -> None:
    done = check(*few("robots-first", "star-group"), "--token=curl", "--json", "--", "curl", "-s", "{url}")
    verdicts = [(clause["verdict"], clause["reason"]) for clause in json.loads(done.stdout)["clauses"]]
    assert verdicts[0] == ("not tested", "it only fetched the page it was started with, which is not a crawl")
    assert verdicts[1][0] == "not tested"
    assert done.returncode == 1


def test_the_table_has_clause_section_verdict_and_evidence() -> None:
    done = check(*few("cr"), "--token=TestCrawler", "--", *CRAWLER, "cr")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "User-Agent TestCrawler/1.0 (a test), product token TestCrawler (from --token)" in lines
    assert any(line.startswith("cr 2.2 MUST disobeys Lines can end with CR alone") for line in lines)
    assert "GET /closed.html, disallowed by line 2: Disallow: /closed.html" in lines
    assert lines[-1] == "1 disobeyed"


def test_a_crawler_that_ignores_robots_txt_fails() -> None:
    done = check(*few("robots-first", "star-group", "status-500"), "--json", "--", *CRAWLER, "everything")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert (document["counts"]["disobeys"], document["counts"]["departs"]) == (2, 1)
    assert document["clauses"][0]["reason"] == "it never read /robots.txt"


def test_a_crawler_that_fetches_nothing_fails_and_its_output_is_printed() -> None:
    done = check("--", "sh", "-c", "echo no such option: {url} >&2; exit 3")
    assert done.returncode == 1
    assert done.stdout == "It fetched nothing.\n"
    assert "exit code 3" in done.stderr
    assert "no such option: http://127.0.0.1:" in done.stderr


def test_a_crawler_that_only_reads_robots_txt_is_not_tested_and_fails() -> None:
    one = "import sys, urllib.request as r; r.urlopen(sys.argv[1] + 'robots.txt').read()"
    done = check(
        *few("star-group", "status-500", "status-404"), "--json", "--", sys.executable, "-c", one, "{url}"
    )
    reason = "it read /robots.txt, and never fetched a page"
    verdicts = [(clause["verdict"], clause["reason"]) for clause in json.loads(done.stdout)["clauses"]]
    assert verdicts == [("not tested", reason)] * 3
    assert done.returncode == 1


def test_over_caution_is_reported_and_fails_only_with_fail_on() -> None:
    arguments = [*few("ties"), "--token=TestCrawler"]
    assert check(*arguments, "--", *CRAWLER, "ties").returncode == 0
    done = check(*arguments, "--fail-on=over-cautious", "--", *CRAWLER, "ties")
    assert done.returncode == 1
    assert "over-cautious" in done.stdout
    assert "it never fetched /one.html, which is allowed" in done.stdout


@pytest.mark.parametrize(
    ("claims", "verdict", "code"), [((), "not supported", 0), (("--claims=nofollow",), "disobeys", 1)]
)
def test_an_optional_feature_counts_only_if_it_is_claimed(
    claims: tuple[str, ...], verdict: str, code: int
) -> None:
    arguments = [*few("nofollow", "cr"), "--token=TestCrawler", "--json", *claims]
    done = check(*arguments, "--", *CRAWLER, "nofollow")
    assert json.loads(done.stdout)["clauses"][-1]["verdict"] == verdict
    assert done.returncode == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "wget", "-r"], "the command has no {url}"),
        (["--", "no-such-crawler", "{url}"], "'no-such-crawler' is not a command"),
        (["--", str(ROOT / "README.md"), "{url}"], "is not a command"),
        (["--", "wget -r {url}"], "write its arguments as separate words"),
        (["--only=nothing", "--", "true", "{url}"], "--only 'nothing' is not a clause"),
        (["--no-clauses", "--", "true", "{url}"], "--no-clauses leaves nothing to test"),
        (["--seed=1", "--", "true", "{url}"], "--seed is for random sites; add --random 40"),
        (["--no-clauses", "--random=1", "--only=cr", "--", "true", "{url}"], "exclude each other"),
        (["--token=a b", "--", "true", "{url}"], "--token 'a b' is not a product token"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    done = check(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@needs_curl
def test_a_crawler_that_never_ends_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"echo $$ >> {pids}; sleep 300 & echo $! >> {pids}; curl -s {{url}} >/dev/null; wait"
    done = check(*few("star-group"), "--seconds=2", "--token=Bot", "--json", "--", "sh", "-c", script)
    (clause,) = json.loads(done.stdout)["clauses"]
    assert clause["exit"]["stopped"]
    assert clause["reason"].endswith("(it was stopped after 2 s)")
    assert_ended(*pids.read_text().split())


@needs_curl
def test_background_children_are_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 300 >/dev/null 2>&1 & echo $! > {pids}; curl -s {{url}}"
    done = check(*few("star-group"), "--token=Bot", "--json", "--", "sh", "-c", script)
    (clause,) = json.loads(done.stdout)["clauses"]
    assert not clause["exit"]["stopped"]
    assert_ended(pids.read_text())


@needs_setsid
def test_a_daemon_is_ended_with_advice(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    daemon = f"(echo $$; sh -c 'echo $$; sleep 300' & wait) > {pids}; : {{url}}"
    script = f'setsid sh -c "$0" & until test -s {pids}; do sleep 0.02; done'
    done = check("--", "sh", "-c", script, daemon)
    assert done.returncode == 1
    assert (
        "A crawler that goes to the background is ended with its command: run it in the foreground"
        in done.stderr
    )
    assert_ended(*pids.read_text().split())


def begun(pids: Path, temporary: Path, *before: str, seconds: float = 30) -> subprocess.Popen[bytes]:
    """Start a check of a crawler that never ends; its process number is in ``pids``."""
    script = f"echo $$ > {pids}; echo ready >&2; exec sleep 300 # {{url}}"
    check = [sys.executable, "-m", "aipolicy", "check", "crawler", f"--seconds={seconds}"]
    process = subprocess.Popen(
        [*before, *check, "--", "sh", "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not (pids.exists() and pids.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_the_crawler(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    pids, temporary = tmp_path / "pids", tmp_path / "temporary"
    temporary.mkdir()
    process = begun(pids, temporary)
    assert list(temporary.iterdir())
    process.send_signal(sent)
    assert process.wait(timeout=20) == code
    assert_ended(pids.read_text())
    assert not list(temporary.iterdir())


def test_under_nohup_a_closed_terminal_is_ignored(tmp_path: Path) -> None:
    process = begun(tmp_path / "pids", tmp_path, "nohup", seconds=2)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == 1  # it fetched nothing


@needs_curl
def test_the_stored_output_is_bounded() -> None:
    script = "yes 0123456789 | head -c 30000000; echo the end; curl -s {url} >/dev/null"
    done = check(*few("star-group"), "--token=Bot", "--verbose", "--", "sh", "-c", script)
    assert "the end" in done.stderr
    assert len(done.stderr.splitlines()) < 60


def test_verbose_prints_robots_txt_requests_and_output() -> None:
    done = check(*few("cr"), "--token=TestCrawler", "--verbose", "--", *CRAWLER, "cr")
    assert "cr: robots.txt" in done.stderr
    assert "2 Disallow: /closed.html" in done.stderr
    assert "GET /robots.txt (first port)" in done.stderr


@needs_curl
def test_control_characters_of_a_crawler_are_escaped() -> None:
    title, agent = r"printf '\033]0;owned\007[red]x[/red]\n'", r"$(printf '\033[31mBot/1.0')"
    script = f'{title}; curl -s -A "{agent}" {{url}}closed.html'
    done = check(*few("cr"), "--token=Bot", "--verbose", "--", "sh", "-c", script)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert "[red]x[/red]" in done.stderr


@needs_curl
def test_a_proxy_in_the_environment_is_not_used_for_the_test_server() -> None:
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    done = check(*few("robots-first"), "--token=Bot", "--json", "--", "curl", "-s", "{url}", **proxy)
    assert json.loads(done.stdout)["requests"] == 1


@needs_curl
def test_each_run_has_an_empty_temporary_folder(tmp_path: Path) -> None:
    output = tmp_path / "output"
    script = f"ls -A {{dir}} | wc -l >> {output}; touch {{dir}}/x; echo {{dir}} >> {output}; curl -s {{url}}"
    check(*few("bom", "cr"), "--jobs=1", "--token=Bot", "--", "sh", "-c", script)
    counts, folders = output.read_text().split()[::2], output.read_text().split()[1::2]
    assert counts == ["0", "0", "0"]  # once more, first
    assert len(set(folders)) == 3
    assert not any(Path(folder).exists() for folder in folders)


def test_list_prints_every_clause_without_a_command() -> None:
    done = check("--list")
    assert done.returncode == 0
    assert "five-redirects" in done.stdout
    assert len(done.stdout.splitlines()) == len(CLAUSES) + 1
