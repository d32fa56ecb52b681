"""``aipolicy set``, ``show`` and ``history``, and ``robots --site``."""

import json
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aipolicy.cli import main
from aipolicy.cli.options import printable
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from tests.cli.conftest import Run


def test_an_opt_out_is_stored_and_shown(aipolicy: Run, tmp_path: Path) -> None:
    done = aipolicy(
        "set", "Blog.Example", "--preset", "no-training", "--host", "www.blog.example", "--by", "ada"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "blog.example: no-training (change 1)\n"
    assert (tmp_path / "aipolicy.db").exists()
    shown = json.loads(aipolicy("show", "www.blog.example", "--json").stdout)
    assert (shown["site"], shown["preset"], shown["opted_out"]) == ("blog.example", "no-training", True)
    assert shown["hosts"] == ["blog.example", "www.blog.example"]


def test_other_fields_stay_and_cleared_ones_are_reset(aipolicy: Run) -> None:
    aipolicy(
        "set", "blog.example", "--preset", "no-training", "--licensed", "GPTBot", "--host", "www.blog.example"
    )
    aipolicy("set", "blog.example", "--sitemap", "https://blog.example/map.xml")
    shown = json.loads(aipolicy("show", "blog.example", "--json").stdout)
    assert (shown["preset"], shown["licensed"]) == ("no-training", ["GPTBot"])
    assert shown["hosts"] == ["blog.example", "www.blog.example"]
    aipolicy("set", "blog.example", "--clear", "licensed", "--clear", "hosts")
    shown = json.loads(aipolicy("show", "blog.example", "--json").stdout)
    assert (shown["preset"], shown.get("licensed"), shown["hosts"]) == ("no-training", None, ["blog.example"])


@pytest.mark.parametrize(
    ("before", "options", "ending"),
    [
        (
            ["--host", "www.h.test", "--host", "h2.test"],
            ["--host", "h3.test"],
            "; removed hosts h2.test, www.h.test (change 2)",
        ),
        (
            ["--host", "www.h.test", "--host", "h2.test"],
            ["--host", "h2.test"],
            "; removed host www.h.test (change 2)",
        ),
        (["--host", "www.h.test"], ["--clear", "hosts"], "; removed host www.h.test (change 2)"),
        (
            ["--path", "/a/ train-ai=n", "--path", "/press/ train-ai=y"],
            ["--path", "/b/ train-ai=n"],
            "; removed paths /a/ (train-ai=n), /press/ (train-ai=y) (change 2)",
        ),
        (
            ["--path", "/a/ train-ai=n, ai-use=n"],
            ["--path", "/a/ ai-use=n"],
            "; removed path /a/ (train-ai=n) (change 2)",
        ),
        (
            ["--path", "/a/ train-ai=n"],
            ["--path", "/a/ train-ai=y"],
            "; removed path /a/ (train-ai=n) (change 2)",
        ),
        (["--path", "/a/ train-ai=n"], ["--path", "/a/ train-ai=n, ai-use=n"], " (change 2)"),
        (
            ["--licensed", "GPTBot", "--licensed", "CCBot"],
            ["--licensed", "GPTBot"],
            "; removed licence CCBot (change 2)",
        ),
        (
            ["--sitemap", "https://h.test/1.xml", "--licensed", "CCBot"],
            ["--sitemap", "https://h.test/2.xml", "--clear", "licensed"],
            "; removed licence CCBot; removed sitemap https://h.test/1.xml (change 2)",
        ),
        (["--host", "www.h.test"], ["--preset", "no-ai"], " (change 2)"),
        (["--host", "www.h.test"], ["--host", "www.h.test", "--host", "h2.test"], " (change 2)"),
    ],
)
def test_set_says_what_it_removed(aipolicy: Run, before: list[str], options: list[str], ending: str) -> None:
    aipolicy("set", "h.test", "--preset", "no-training", *before)
    done = aipolicy("set", "h.test", *options)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("h.test: no-")
    assert done.stderr.endswith(f"{ending}\n")
    assert ("removed" in done.stderr) == ("removed" in ending)


def test_set_says_what_it_removed_beside_json_too(aipolicy: Run) -> None:
    aipolicy("set", "h.test", "--path", "/a/ train-ai=n")
    done = aipolicy("set", "www.h.test", "--preset", "no-ai", "--json")
    assert done.stderr == ""
    done = aipolicy("set", "h.test", "--path", "/b/ train-ai=n", "--json")
    assert json.loads(done.stdout)["seq"] == 3
    assert done.stderr == "h.test: removed path /a/ (train-ai=n)\n"


def test_what_an_earlier_command_removed_is_not_said_again(aipolicy: Run) -> None:
    aipolicy("set", "h.test", "--host", "www.h.test", "--host", "h2.test")
    aipolicy("set", "h.test", "--host", "h2.test")
    assert aipolicy("set", "h.test", "--host", "h2.test").stderr == "h.test: unset (change 2)\n"


@pytest.mark.parametrize("option", ["--host HOST", "--path ", "--licensed TOKEN", "--sitemap URL"])
def test_the_help_of_set_says_which_options_replace(aipolicy: Run, option: str) -> None:
    text = aipolicy("set", "--help").stdout
    about = text[text.index(f"\n  {option}") :].split("\n  --")[1]
    assert "Replaces those that the site has." in " ".join(about.split())
    assert "Replaces" not in aipolicy("robots", "--help").stdout


def test_history_lists_time_author_and_policy(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training", "--by", "ada")
    aipolicy("set", "blog.example", "--preset", "unset", "--by", "support")
    changes = json.loads(aipolicy("history", "blog.example", "--json").stdout)
    assert [(c["seq"], c["by"], c["policy"]["preset"]) for c in changes] == [
        (1, "ada", "no-training"),
        (2, "support", "unset"),
    ]
    table = aipolicy("history", "blog.example").stdout
    assert table.splitlines()[0].split() == ["change", "at", "by", "policy", "hosts"]
    first = changes[0]["at"]
    then = json.loads(aipolicy("show", "blog.example", "--at", first, "--json").stdout)
    assert then["preset"] == "no-training"


def test_before_its_first_change_a_site_is_unknown(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training")
    done = aipolicy("show", "blog.example", "--at", "2020-01-01")
    assert done.returncode == 2
    assert "2020-01-01" in done.stderr


def test_the_registry_is_named_by_option_or_environment(aipolicy: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/blogs.db"
    aipolicy("set", "blog.example", "--preset", "no-ai", "--registry", url)
    by_option = aipolicy("robots", "--site", "blog.example", "--registry", url)
    by_environment = aipolicy("robots", "--site", "BLOG.example:80", AIPOLICY_REGISTRY=url)
    assert by_option.stdout == by_environment.stdout
    assert "User-agent: OAI-SearchBot\n" in by_option.stdout


def test_the_registrys_policy_can_be_merged_with_a_base(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training")
    done = aipolicy(
        "robots", "--site", "blog.example", "--base", "-", stdin="User-agent: *\nDisallow: /drafts/\n"
    )
    assert "Disallow: /drafts/" in done.stdout


def test_a_policy_too_large_to_serve_is_not_stored(aipolicy: Run) -> None:
    groups = "".join(f"User-agent: x{number}\nDisallow: /{number}\n\n" for number in range(12_000))
    done = aipolicy("set", "blog.example", "--preset", "no-training", "--base", "-", stdin=groups)
    assert done.returncode == 2
    assert "robots.txt" in done.stderr
    assert aipolicy("show", "blog.example").returncode == 2


def test_the_error_for_an_unknown_site_has_the_registry(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training")
    for arguments in (["show"], ["history"], ["robots", "--site"]):
        done = aipolicy(*arguments, "unknown.example")
        assert (done.returncode, done.stdout) == (2, "")
        assert "unknown.example" in done.stderr


def test_the_status_has_the_registry_and_its_counts(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training", "--host", "www.blog.example")
    aipolicy("set", "blog.example", "--preset", "unset")
    status = json.loads(aipolicy("show", "--status", "--json").stdout)
    assert status.pop("registry_id")
    assert status == {"registry": "sqlite:///aipolicy.db", "sites": 1, "hosts": 2, "changes": 2}
    assert "changes" in aipolicy("show", "--status").stdout


def test_host_and_status_exclude_each_other(aipolicy: Run) -> None:
    for arguments in (
        ["show"],
        ["show", "blog.example", "--status"],
        ["show", "--status", "--at", "2026-01-01"],
    ):
        done = aipolicy(*arguments)
        assert done.returncode == 2
        assert "use either a HOST or --status alone" in done.stderr


def test_concurrent_set_commands_both_take_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/aipolicy.db"
    with Registry(url) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
    waiting: set[int] = set()
    sleep = time.sleep

    def wait(seconds: float) -> None:
        waiting.add(threading.get_ident())
        sleep(seconds)

    def set_to(*options: str) -> None:
        main(["set", "blog.example", "--registry", url, *options], standalone_mode=False)

    monkeypatch.setattr("aipolicy.registry.sqlite.time.sleep", wait)
    other = sqlite3.connect(tmp_path / "aipolicy.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    commands = [
        threading.Thread(target=set_to, args=options)
        for options in (("--preset", "no-training"), ("--sitemap", "https://blog.example/map.xml"))
    ]
    for command in commands:
        command.start()
    while len(waiting) < len(commands) and any(command.is_alive() for command in commands):
        sleep(0.001)
    other.execute("COMMIT")
    other.close()
    for command in commands:
        command.join()
    with Registry(url) as registry:
        policy = registry.get("blog.example")
    assert policy == SitePolicy.from_preset(
        "no-training", site="blog.example", sitemaps=["https://blog.example/map.xml"]
    )


def test_a_time_shows_the_hosts_of_that_time(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-ai", "--host", "www.blog.example")
    at = json.loads(aipolicy("history", "blog.example", "--json").stdout)[0]["at"]
    aipolicy("set", "blog.example", "--clear", "hosts")
    then = json.loads(aipolicy("show", "www.blog.example", "--at", at, "--json").stdout)
    assert then["hosts"] == ["blog.example", "www.blog.example"]
    assert json.loads(aipolicy("show", "blog.example", "--json").stdout)["hosts"] == ["blog.example"]


def test_an_invalid_or_future_time_is_refused(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-ai")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for when, fix in (("", "is not a valid time; use"), (tomorrow, "leave it out for the current policy")):
        done = aipolicy("show", "blog.example", "--at", when)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"--at {when!r}" in done.stderr
        assert fix in done.stderr
    assert "use either a HOST or --status alone" in aipolicy("show", "--status", "--at", "").stderr


def test_a_change_dated_in_the_future_is_reported(aipolicy: Run, tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(days=365)
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db", clock=lambda: ahead) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
    done = aipolicy("set", "blog.example", "--preset", "no-training")
    assert done.returncode == 0
    assert f"the latest change, 1, is dated {ahead:%Y-%m-%d}" in done.stderr
    assert done.stderr.endswith("blog.example: no-training (change 2)\n")


def test_the_status_counts_one_of_each(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-ai")
    rows = dict(line.split() for line in aipolicy("show", "--status").stdout.splitlines())
    assert (rows["sites"], rows["hosts"], rows["changes"]) == ("1", "1", "1")


def test_markup_in_values_is_printed_literally(aipolicy: Run) -> None:
    path = "/[red]drafts[/]/ train-ai=y"
    aipolicy("set", "blog.example", "--preset", "no-ai", "--path", path, "--by", "[bold]ada[/nobody]")
    history = aipolicy("history", "blog.example")
    assert history.returncode == 0
    assert "[bold]ada[/nobody]" in history.stdout
    assert "/[red]drafts[/]/: train-ai: allow" in aipolicy("show", "blog.example").stdout


def test_no_control_character_reaches_the_terminal(aipolicy: Run, tmp_path: Path) -> None:
    base = "User-agent: *\r\nDisallow: /\x1b[2J\u202e\n"
    aipolicy("set", "blog.example", "--preset", "no-ai", "--base", "-", stdin=base)
    shown = aipolicy("show", "blog.example").stdout
    assert "Disallow: /\\x1b[2J\\u202e" in shown
    assert "User-agent: *\n" in shown
    output = aipolicy("show", "blog.example", "--registry", "sqlite:////no/\x1b[2J/x.db").stderr
    assert "\x1b" not in output


def test_the_time_of_a_change_is_accepted_even_if_it_is_in_the_future(aipolicy: Run, tmp_path: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db", clock=lambda: ahead) as registry:
        registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
    (change,) = json.loads(aipolicy("history", "blog.example", "--json").stdout)
    then = json.loads(aipolicy("show", "blog.example", "--at", change["at"], "--json").stdout)
    assert then["opted_out"]
    later = aipolicy("show", "blog.example", "--at", (ahead + timedelta(seconds=1)).isoformat())
    assert later.returncode == 2
    assert "is in the future" in later.stderr


def test_only_lf_and_crlf_end_a_printed_line() -> None:
    assert printable("a\x0bb\x1cc\x85d\u2028e\rf\r\ng\n") == r"a\x0bb\x1cc\x85d\u2028e\x0df" + "\ng"
