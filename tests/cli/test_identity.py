"""``aipolicy check identity`` and ``aipolicy crawlers update``."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result

from aipolicy import identity as package
from aipolicy.cli import main
from aipolicy.identity import Resolver, list_update, packaged_ranges
from aipolicy.identity.ranges_file import RangesFile
from tests.cli.conftest import Run
from tests.identity.dns_server import DNSServer
from tests.identity.list_server import ListServer, LoopbackFetcher, list_server
from tests.identity.test_list_history import FIRST, LASTING, NEW, OLD, read, reading
from tests.identity.test_list_update import listing, openai

HISTORY = read(reading(FIRST, OLD, LASTING), reading(date(2026, 9, 9), LASTING, NEW))
CHECK = ("check", "identity")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("AIPOLICY_RANGES", raising=False)
    return tmp_path


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command in this process, where its connections can be redirected to loopback."""
    return lambda *arguments, **options: CliRunner().invoke(main, arguments, **options)


@pytest.fixture
def history(tmp_path: Path) -> str:
    """Write a file of lists with one address each, of which one was removed and one is new."""
    path = tmp_path / "history.json"
    path.write_text(RangesFile(HISTORY).to_json())
    return str(path)


@pytest.mark.parametrize(
    ("address", "time", "identity", "code"),
    [
        (LASTING, "2026-10-01", "verified", 0),
        (OLD, "2026-07-01T12:00:00+02:00", "verified", 0),
        (OLD, "2026-10-01", "unverifiable", 0),
        ("8.8.8.8", "2026-10-01", "spoofed", 1),
        ("10.0.0.1", "2026-10-01", "check_failed", 0),
    ],
)
def test_a_client_is_identified_with_the_reason_at_a_time(
    aipolicy: Run, history: str, address: str, time: str, identity: str, code: int
) -> None:
    done = aipolicy(
        *CHECK, address, "--user-agent", "GPTBot/1.2", "--time", time, "--no-dns", "--ranges", history
    )
    first, *reasons = done.stdout.splitlines()
    assert first == f"{address} as GPTBot of OpenAI, {time[:10]}: {identity}"
    assert reasons
    assert (done.returncode, done.stderr) == (code, "")


def test_the_same_as_json(aipolicy: Run, history: str) -> None:
    done = aipolicy(
        *CHECK,
        LASTING,
        "8.8.8.8",
        "--user-agent",
        "GPTBot/1.2 (ClaudeBot/1.0)",
        "--time",
        "2026-10-01",
        "--json",
        "--no-dns",
        AIPOLICY_RANGES=history,
    )
    first, second = json.loads(done.stdout)
    gptbot, claudebot = first["crawlers"]
    assert (gptbot["identity"], claudebot["identity"], done.returncode) == ("verified", "unverifiable", 1)
    assert gptbot["lists"] == [
        {
            "urls": ["https://openai.com/gptbot.json"],
            "prefix": f"{LASTING}/32",
            "read": "2026-09-09",
            "source": "https://openai.com/gptbot.json",
            "came_after": None,
            "gone_by": None,
            "counts": True,
        }
    ]
    assert [each["identity"] for each in second["crawlers"]] == ["spoofed", "unverifiable"]
    assert second["crawlers"][0]["needed"] == "an address in https://openai.com/gptbot.json"
    assert "https://claude.com/crawling/bots.json was never read" in claudebot["why"][0]


def test_a_client_that_declares_no_crawler_is_accepted(aipolicy: Run) -> None:
    done = aipolicy(*CHECK, "8.8.8.8", "--user-agent", "Mozilla/5.0")
    assert (done.returncode, done.stdout) == (0, "8.8.8.8: the User-Agent declares no crawler in the table\n")


def test_clients_come_on_stdin_in_either_form(aipolicy: Run, history: str) -> None:
    lines = [
        f"{LASTING}\tGPTBot/1.2",
        "",
        json.dumps({"address": OLD, "user_agent": "GPTBot/1.2", "time": "2026-07-01T00:00:00Z"}),
        "8.8.8.8\tGPTBot/1.2\t2026-01-01",
        json.dumps({"address": "\x1b[31munknown"}),
    ]
    done = aipolicy(
        *CHECK, "-", "--no-dns", "--ranges", history, "--user-agent", "GPTBot/1.0", stdin="\n".join(lines)
    )
    output = [line.rpartition(": ")[2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert output == ["verified", "verified", "unverifiable", "check_failed"]
    assert "\x1b" not in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "named"),
    [
        (["8.8.8"], "", "'8.8.8' is not an IP address"),
        (["8.8.8.8", "-"], "", "- reads the addresses from standard input"),
        (["8.8.8.8", "--time", "soon"], "", "--time 'soon'"),
        (["8.8.8.8", "--ranges", "missing.json"], "", "'missing.json' can't be read"),
        (
            ["-"],
            "8.8.8.8\tGPTBot/1\n8.8.8.8\tGPTBot/1\tlong ago\n",
            "line 2 of standard input: time 'long ago'",
        ),
        (["-"], '{"address": 5}\n', "line 1 of standard input"),
        (["-"], '{"address"\n', "line 1 of standard input"),
        (["-"], "[" * 100_000, "line 1 of standard input"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    run: Callable[..., Result], arguments: list[str], stdin: str, named: str
) -> None:
    agent = [] if arguments == ["-"] else ["--user-agent", "GPTBot/1"]
    done = run(*CHECK, *arguments, *agent, "--no-dns", input=stdin)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert named in done.stderr


def test_half_of_a_surrogate_pair_is_escaped_as_in_json(aipolicy: Run) -> None:
    client = '{"address": "20.171.0.1\\ud800", "user_agent": "GPTBot/1.2"}'
    done = aipolicy(*CHECK, "-", "--no-dns", "--json", stdin=client, PYTHONIOENCODING="utf-8")
    assert "Traceback" not in done.stderr
    assert '"20.171.0.1\\ud800"' in done.stdout


def test_the_user_agent_is_required(run: Callable[..., Result]) -> None:
    done = run(*CHECK, "8.8.8.8")
    assert (done.exit_code, "give --user-agent" in done.stderr) == (2, True)


def test_dns_is_used_by_default(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    with DNSServer() as server:
        server.confirmed("157.55.39.77", "msnbot-157-55-39-77.search.msn.com")
        loopback = partial(Resolver, nameservers=["127.0.0.1"], port=server.port)
        monkeypatch.setattr(package, "Resolver", loopback)
        asked = run(*CHECK, "8.8.8.8", "--user-agent", "YandexBot/3.0", "--json")
        server.confirmed("8.8.8.8", "spider-8-8-8-8.yandex.com")
        found = run(*CHECK, "8.8.8.8", "--user-agent", "YandexBot/3.0", "--json")
        count = server.asked.total()
        silent = run(*CHECK, "8.8.8.8", "--user-agent", "YandexBot/3.0", "--json", "--no-dns")
        assert server.asked.total() == count
    assert (asked.exit_code, found.exit_code, silent.exit_code) == (1, 0, 0)
    (crawler,) = json.loads(found.stdout)[0]["crawlers"]
    assert crawler["dns"] == {
        "host_name": "spider-8-8-8-8.yandex.com",
        "error": None,
        "host_names": ["spider-8-8-8-8.yandex.com"],
        "led_to": {"spider-8-8-8-8.yandex.com": ["8.8.8.8"]},
    }
    assert "DNS was not asked" in silent.stdout


def test_without_dns_no_client_is_spoofed(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DNSServer() as closed:
        pass
    down = partial(Resolver, nameservers=["127.0.0.1"], port=closed.port, timeout=0.1, total_timeout=0.2)
    monkeypatch.setattr(package, "Resolver", down)
    done = run(*CHECK, "8.8.8.8", "--user-agent", "YandexBot/3.0")
    assert done.exit_code == 0
    assert "check_failed\n  DNS failed: " in done.stdout


def test_logs_are_checked_against_the_lists_of_each_day(aipolicy: Run, tmp_path: Path, history: str) -> None:
    (tmp_path / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    clients = [
        (OLD, "01/Jul"),
        (OLD, "01/Oct"),
        (NEW, "01/Oct"),
        ("8.8.8.8", "01/Jan"),
        ("8.8.8.8", "01/Oct"),
    ]
    (tmp_path / "access.log").write_text(
        "".join(
            f'{address} - - [{day}/2026:00:00:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "GPTBot/1.2"\n'
            for address, day in clients
        )
    )
    command = ("check", "logs", "access.log", "--robots", "robots.txt", "--json")
    document = json.loads(aipolicy(*command, "--ranges", history).stdout)
    assert document["total"]["identity"] == {
        "verified": 2,
        "operator_verified": 0,
        "spoofed": 1,
        "unverifiable": 2,
        "check_failed": 0,
    }
    assert document["method"]["ranges"] == {
        "lists": 1,
        "oldest": "2026-09-09",
        "newest": "2026-09-09",
        "file": history,
    }
    packaged = json.loads(aipolicy(*command).stdout)["method"]["ranges"]
    assert packaged["file"] is None
    assert packaged["lists"] == len(packaged_ranges().current)


def test_a_damaged_file_of_lists_is_named_by_every_command(run: Callable[..., Result], home: Path) -> None:
    damaged = home / "data" / "aipolicy" / "ranges.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"lists": [{"urls')
    (home / "robots.txt").write_text("")
    for command in (
        (*CHECK, "8.8.8.8", "--user-agent", "GPTBot/1"),
        ("check", "logs", str(home / "robots.txt"), "--robots", str(home / "robots.txt")),
        ("crawlers", "update"),
    ):
        done = run(*command)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert f"'{damaged}' is not a valid file of address lists" in done.stderr


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def lists(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListServer]:
    """Serve all lists of the table on loopback, and redirect the command to them."""
    with list_server(authority) as server:
        for target in list_update.default_targets(packaged_ranges()):
            prefixes = [str(net) for each in packaged_ranges().of_url(target.url) for net in each.prefixes]
            server.put(target.url, listing(*prefixes or ["44.193.5.9"]))

        def fetcher(**_: Any) -> LoopbackFetcher:
            return LoopbackFetcher(server.origin, server.trusted)

        monkeypatch.setattr(list_update, "Fetcher", fetcher)
        yield server


def test_updated_lists_are_used_by_later_commands(
    lists: ListServer, run: Callable[..., Result], home: Path
) -> None:
    lists.put("https://openai.com/gptbot.json", listing(*openai(1)))
    done = run("crawlers", "update")
    assert done.exit_code == 1, "the package's lists lost all that they had"
    assert "openai.com/gptbot.json has 16 prefixes now, and" in done.stderr

    def rows() -> dict[str, list[str]]:
        lines = (line.split() for line in done.stdout.splitlines()[1:] if "openai" in line)
        return {url: cells for _, url, *cells in lines}

    assert rows()["https://openai.com/adsbot.json"][:3] == ["new", "1", "1"]
    done = run("crawlers", "update", "--accept")
    assert (done.exit_code, done.stderr) == (0, "")
    assert rows()["https://openai.com/gptbot.json"][:4] == ["changed", "16", "16", "17"]
    assert (home / "data" / "aipolicy").stat().st_mode & 0o777 == 0o700
    found = run(*CHECK, "20.3.7.9", "--user-agent", "GPTBot/1.2", "--no-dns")
    assert found.stdout.startswith("20.3.7.9 as GPTBot of OpenAI, ")
    assert found.stdout.splitlines()[0].endswith(": verified")
    again = json.loads(run("crawlers", "update", "--json").stdout)
    assert {each["state"] for each in again} == {"unchanged", "by hand"}


def test_lists_that_fail_are_named_on_stderr_and_exit_code_1(
    lists: ListServer, run: Callable[..., Result], tmp_path: Path
) -> None:
    lists.put("https://www.bing.com/toolbox/bingbot.json", "gone", status=404)
    lists.put("https://openai.com/adsbot.json", "gone", status=404)
    target = str(tmp_path / "lists.json")
    done = run("crawlers", "update", "--to", target, "--operator", "openai", "--operator", "Microsoft")
    assert done.exit_code == 1
    assert len(lists.asked) == 5
    ads, bing = sorted(done.stderr.splitlines(), key=lambda line: "bingbot" in line)
    assert ads.endswith("/openai.com/adsbot.json answered 404; there is no earlier list")
    assert bing.endswith("/www.bing.com/toolbox/bingbot.json answered 404; the list of 2026-09-02 is kept")
    assert RangesFile.read(Path(target)).ranges.of_url("https://openai.com/gptbot.json")


def test_a_list_that_lost_most_prefixes_needs_an_option(
    lists: ListServer, run: Callable[..., Result], tmp_path: Path
) -> None:
    lists.put("https://www.bing.com/toolbox/bingbot.json", listing("157.55.39.0/24"))
    command = ("crawlers", "update", "--to", str(tmp_path / "lists.json"), "--operator", "microsoft")
    refused, taken = run(*command), run(*command, "--accept")
    assert (refused.exit_code, taken.exit_code) == (1, 0)
    assert "of the 28 before are missing" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (
            ["update", "--operator", "Nobody"],
            "--operator 'Nobody' publishes no list; use one of Akamai",
        ),
        (["update", "--to", "no/such/folder/ranges.json"], "can't be written"),
        (["update", "--to", "/"], "can't be written"),
        (["update", "--to", "."], "Is a directory"),
        (["update", "--to", "a\0b"], "can't be written"),
        (["--json", "update"], "write the options of update after its name"),
    ],
)
def test_invalid_updates_are_bad_input(run: Callable[..., Result], arguments: list[str], named: str) -> None:
    done = run("crawlers", *arguments)
    assert done.exit_code == 2
    assert named in done.stderr


def test_crawlers_without_a_subcommand_lists_the_table(aipolicy: Run) -> None:
    listed = json.loads(aipolicy("crawlers", "--purpose", "dataset", "--json").stdout)
    assert {each["purpose"] for each in listed} == {"dataset"}
    assert "GPTBot" in aipolicy("crawlers").stdout
    assert "update" in aipolicy("crawlers", "--help").stdout
