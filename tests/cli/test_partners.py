"""``aipolicy partners`` and ``aipolicy removals``, run as programs."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ADD = (
    "partners",
    "add",
    "example",
    "--crawler",
    "GPTBot",
    "--contact",
    "legal@partner.example",
    "--receives",
    "crawl",
    "--since",
    "2026-01-01",
)
OPEN = ("removals", "open", "--posts")


def test_from_an_opt_out_to_a_completed_removal(aipolicy: Run) -> None:
    added = json.loads(aipolicy(*ADD, "--json").stdout)
    assert added["partner"] == "example"
    assert added["token"].startswith("aip_")
    aipolicy("set", "blog.example", "--preset", "unset")
    assert json.loads(aipolicy("removals", "list", "--json").stdout) == []
    aipolicy("set", "blog.example", "--preset", "no-training")
    (request,) = json.loads(aipolicy("removals", "list", "--partner", "example", "--json").stdout)
    assert (request["site"], request["state"], request["reason"]) == (
        "blog.example",
        "requested",
        "opted-out",
    )
    table = aipolicy("removals", "list").stdout
    assert "blog.example" in table
    assert added["token"] not in table
    for obligation, outcome in (("past", "removed"), ("future", "excluded")):
        done = aipolicy("removals", "answer", request["id"], "--obligation", obligation, "--outcome", outcome)
        assert done.returncode == 0, done.stderr
    shown = json.loads(aipolicy("removals", "show", request["id"], "--json").stdout)
    assert shown["state"] == "completed"
    assert [answer["outcome"] for answer in shown["answers"]] == ["removed", "excluded"]
    assert "past: removed" in aipolicy("removals", "show", request["id"]).stdout
    assert "1 completed" in aipolicy("partners", "show", "example").stdout
    aipolicy("set", "blog.example", "--preset", "unset")
    assert json.loads(aipolicy("removals", "list", "--state", "withdrawn", "--json").stdout)


def test_single_posts_are_asked_for(aipolicy: Run, tmp_path: Path) -> None:
    aipolicy(*ADD)
    aipolicy("set", "blog.example", "--preset", "unset")
    (tmp_path / "posts.csv").write_text("host,post_id\nblog.example,1\nBLOG.example,2\n")
    opened = aipolicy(
        "removals", "open", "--posts", "posts.csv", "--partner", "example", "--reason", "premium"
    )
    assert (opened.returncode, opened.stderr) == (0, "1 request for 2 posts opened\n")
    assert "2 posts of blog.example" in aipolicy("removals", "list").stdout


def test_a_removed_partner_is_listed_on_request_only(aipolicy: Run) -> None:
    aipolicy(*ADD)
    first = aipolicy("partners", "rotate-token", "example")
    assert first.stdout.startswith("aip_")
    assert aipolicy("partners", "remove", "example").returncode == 0
    assert json.loads(aipolicy("partners", "list", "--json").stdout) == []
    (removed,) = json.loads(aipolicy("partners", "list", "--removed", "--json").stdout)
    assert removed["removed"]
    assert "GPTBot" in aipolicy("partners", "list", "--removed").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*ADD[:4], "NoSuchBot", *ADD[5:]), "'NoSuchBot' isn't in the crawler table"),
        ((*ADD[:-1], "soon"), "--since 'soon'"),
        ((*ADD[:-1], "2999-01-01"), "is in the future"),
        (("partners", "show", "nobody"), "there is no partner 'nobody'"),
        (("removals", "show", "nothing"), "there is no removal request 'nothing'"),
        (("removals", "list", "--partner", "nobody"), "there is no partner 'nobody'"),
        (
            ("removals", "open", "--posts", "no.csv", "--partner", "a", "--reason", "b"),
            "'no.csv' can't be read",
        ),
        (("removals", "open", "--posts", "bad.csv", "--partner", "a", "--reason", "b"), "lacks the columns"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    aipolicy: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    aipolicy("set", "blog.example", "--preset", "unset")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    done = aipolicy(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
