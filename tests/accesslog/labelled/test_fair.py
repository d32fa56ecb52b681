"""Fairness of accusations: each case in a log of a few lines."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.accesslog.labelled.command import Outcome, check_logs_here
from tests.accesslog.labelled.handwritten import GPTBOT, OPENAI, line

CLAUDE = "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)"
IMPOSTOR, EDGE = "203.0.113.9", "172.68.10.2"
CLOSED = "User-agent: GPTBot\nUser-agent: ClaudeBot\nDisallow: /\n"


def checked(folder: Path, *lines: bytes, robots: str = CLOSED, options: tuple[str, ...] = ()) -> Outcome:
    (folder / "access.log").write_bytes(b"".join(each + b"\n" for each in lines))
    (folder / "robots.txt").write_text(robots)
    return check_logs_here(folder / "access.log", "--robots", folder / "robots.txt", "--json", *options)


def total(folder: Path, *lines: bytes, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = checked(folder, *lines, **options).document["total"]
    return found


def test_fetches_of_impostors_are_in_no_figure_of_the_operator(tmp_path: Path) -> None:
    spoofed = [line(f"/{n}", user_agent=CLAUDE, address=IMPOSTOR) for n in range(8)]
    outcome = checked(tmp_path, *spoofed, line("/robots.txt", user_agent=CLAUDE, address=IMPOSTOR))
    document = outcome.document
    (crawler,) = document["crawlers"]
    assert (crawler["fetches"], crawler["disallowed"], crawler["disallowed_spoofed"]) == (9, 0, 8)
    assert crawler["rules"] == crawler["examples"] == []
    assert len(crawler["spoofed_examples"]) == 8
    assert (crawler["first_disallowed"], crawler["robots_txt"]["own_reads"]) == (None, 0)
    assert "spoofed" not in crawler["disallowed_by_identity"]
    assert document["days"][0]["disallowed_spoofed"] == 8
    assert outcome.code == 0
    for fail_on, code in (("disallowed", 0), ("spoofed", 1), ("never", 0)):
        assert checked(tmp_path, *spoofed, options=("--fail-on", fail_on)).code == code


@pytest.mark.parametrize("user_agent", ["Perplexity-User/1.0", "ChatGPT-User/1.0", "Perplexity-User"])
def test_a_fetch_for_a_user_is_exempt_with_any_identity(tmp_path: Path, user_agent: str) -> None:
    robots = "User-agent: Perplexity-User\nUser-agent: ChatGPT-User\nDisallow: /\n"
    lines = [line(f"/{n}", user_agent=user_agent, address=IMPOSTOR, status=n) for n in (200, 403)]
    outcome = checked(tmp_path, *lines, line("/robots.txt", user_agent=user_agent), robots=robots)
    found = outcome.document["total"]
    assert [found[name] for name in ("exempt", "disallowed_spoofed", "refused", "disallowed")] == [2, 0, 0, 0]
    assert found["identity"]["spoofed"] >= 2, "an impostor is no less told"
    assert outcome.code == 0
    edge = checked(tmp_path, line("/a", user_agent=user_agent, address=EDGE), robots=robots)
    assert edge.document["total"]["exempt"] == 1


def test_fetches_by_impostors_are_separate_in_every_output(tmp_path: Path) -> None:
    lines = [line("/a"), line("/b", user_agent=CLAUDE, address=IMPOSTOR)]
    html, evidence = tmp_path / "r.html", tmp_path / "e.parquet"
    checked(tmp_path, *lines, options=("--html", str(html), "--evidence", str(evidence)))
    rows = pl.read_parquet(evidence).select("product_token", "verdict").rows()
    assert rows == [("GPTBot", "disallowed"), ("ClaudeBot", "disallowed_spoofed")]
    text = html.read_text()
    assert "GPTBot made 1 fetch that robots.txt disallowed" in text
    assert text.count("Rules that disallowed these fetches") == 1
    assert "Fetches by impostors, not by ClaudeBot: 1 of 1 disallowed fetch" in text
    arguments = (tmp_path / "access.log", "--robots", tmp_path / "robots.txt")
    written = csv.DictReader(io.StringIO(check_logs_here(*arguments, "--csv").out.decode()))
    assert [
        (row["product_token"], row["disallowed"], row["disallowed_spoofed"], row["rule"]) for row in written
    ] == [
        ("GPTBot", "1", "0", "Disallow: /"),
        ("ClaudeBot", "0", "1", ""),
    ]
    table = check_logs_here(*arguments).out.decode()
    assert "(impostors)" in table
    assert "They are not counted as Disallowed" in " ".join(table.split())


def test_behind_a_cdn_no_client_is_spoofed_or_verified(tmp_path: Path) -> None:
    outcome = checked(tmp_path, line("/a", address=EDGE), line("/b", user_agent=CLAUDE, address=EDGE))
    assert outcome.document["total"]["identity"]["check_failed"] == 2
    assert outcome.document["total"]["disallowed"] == 2
    assert outcome.code == 1
    assert checked(tmp_path, line("/a", address=EDGE), options=("--fail-on", "spoofed")).code == 0
    (proxy,) = outcome.document["proxies"]
    assert (proxy["operator"], proxy["header"], proxy["forwarded"]) == (
        "Cloudflare",
        "CF-Connecting-IP",
        None,
    )
    assert any("log the forwarded address (CF-Connecting-IP)" in note for note in outcome.document["notes"])


@pytest.mark.parametrize(
    ("address", "forwarded", "number"),
    [
        (EDGE, OPENAI, 1),
        (EDGE, f"6.6.6.6, {OPENAI}", 1),
        ("10.0.0.3", f"{OPENAI}, {EDGE}", 2),
        ("10.0.0.3", f"{OPENAI}, {EDGE}, 10.0.0.9", 3),
        (EDGE, IMPOSTOR, None),
        (EDGE, f"{OPENAI}, {IMPOSTOR}", None),  # the client wrote the first of them
        (EDGE, "-", None),
    ],
)
def test_a_forwarded_column_that_would_verify_has_a_note(
    tmp_path: Path, address: str, forwarded: str, number: int | None
) -> None:
    lines = [line(f"/{n}", address=address) + f' "{forwarded}"'.encode() for n in range(3)]
    document = checked(tmp_path, *lines).document
    (proxy,) = document["proxies"]
    assert (proxy["fetches"], proxy["forwarded"], proxy["would_verify"]) == (3, number, 3 if number else 0)
    advice = "--forwarded reads" if number == 1 else f"--forwarded {number} reads"
    assert any(advice in note and "verifies 3 of them" in note for note in document["notes"]) is bool(number)
    if number:
        verified = checked(tmp_path, *lines, options=("--forwarded", str(number))).document
        assert verified["total"]["identity"]["verified"] == 3
        assert verified["proxies"] == []


@pytest.mark.parametrize(
    ("forwarded", "advice"),
    [
        (f"{OPENAI}, 10.0.0.9", "try --forwarded 2"),
        (f"{OPENAI}, {EDGE}", "try --forwarded 2"),
        ("-", "has no address in position 1 from the right"),
    ],
)
def test_advice_with_forwarded_is_not_to_use_forwarded(tmp_path: Path, forwarded: str, advice: str) -> None:
    lines = [line("/a", address=EDGE) + f' "{forwarded}"'.encode()]
    (note,) = checked(tmp_path, *lines, options=("--forwarded",)).document["notes"]
    assert advice in note


def test_a_list_alone_does_not_prove_forgery_if_dns_could_verify(tmp_path: Path) -> None:
    agent = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
    robots = "User-agent: *\nDisallow: /\n"
    document = checked(tmp_path, line("/a", user_agent=agent, address=IMPOSTOR), robots=robots).document
    assert document["total"]["identity"]["unverifiable"] == 1
    assert any("bingbot" in note and "--dns" in note for note in document["notes"])


@pytest.mark.parametrize(
    "path",
    ["/robots.txt", "//robots.txt", "/./robots.txt", "/%72obots.txt", "/robots%2Etxt?x", "/a/../robots.txt"],
)
def test_robots_txt_is_read_in_any_spelling(tmp_path: Path, path: str) -> None:
    assert total(tmp_path, line(path))["robots_txt_reads"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/ai.txt",
        "//ai.txt",
        "/ai%2Etxt",
        "/.well-known/tdmrep.json",
        "/%2ewell-known/x",
        "//.well-known/gpc.json?x",
    ],
)
def test_reading_the_opt_out_is_no_violation(tmp_path: Path, path: str) -> None:
    found = total(tmp_path, line(path))
    assert (found["allowed"], found["disallowed"]) == (1, 0)


@pytest.mark.parametrize("path", ["/.well-known/../private", "/x/ai.txt", "/robots.txt.bak", "/robots.txt/"])
def test_paths_that_resemble_policy_files_are_judged(tmp_path: Path, path: str) -> None:
    assert total(tmp_path, line(path))["disallowed"] == 1


@pytest.mark.parametrize(
    ("options", "here"), [((), False), (("--site", "a.example"), False), (("--site", "other.example"), True)]
)
def test_an_absolute_target_of_another_site_is_not_counted_for_this_one(
    tmp_path: Path, options: tuple[str, ...], here: bool
) -> None:
    lines = [line("/a"), line("http://other.example/"), line("http://other.example/robots.txt")]
    document = checked(tmp_path, *lines, options=options).document
    found = document["total"]
    assert (found["disallowed"], found["robots_txt_reads"]) == ((2, 1) if here else (1, 0))
    assert document["lines"]["left_out"] == (0 if here else 2)
    notes = [note for note in document["notes"] if "another site in the target, like 'other.example'" in note]
    assert bool(notes) is not here


def test_the_sites_own_name_in_a_target_is_the_site(tmp_path: Path) -> None:
    found = total(tmp_path, line("/a"), line("http://A.example:80/b"), options=("--site", "a.example"))
    assert found["disallowed"] == 2


def test_a_vhost_log_counts_an_absolute_target_for_its_site(tmp_path: Path) -> None:
    lines = [line("/a", host="a.example"), line("http://other.example/", host="a.example")]
    document = checked(tmp_path, *lines).document
    assert (document["total"]["disallowed"], document["lines"]["left_out"]) == (1, 1)
    (tmp_path / "policies.jsonl").write_text(json.dumps({"site": "a.example", "robots_txt": CLOSED}) + "\n")
    known = check_logs_here(
        tmp_path / "access.log", "--policies", tmp_path / "policies.jsonl", "--json"
    ).document
    assert (known["total"]["disallowed"], known["without_policy"]) == (1, {"fetches": 1, "sites": 1})


def test_absolute_targets_name_the_sites(tmp_path: Path) -> None:
    """The log is written as by varnishncsa."""
    lines = [line(f"http://a.example/{n}") for n in range(4)]
    document = checked(tmp_path, *lines).document
    assert (document["total"]["disallowed"], document["lines"]["left_out"]) == (4, 0)


@pytest.mark.parametrize(
    ("statuses", "counter"),
    [
        ((401, 402, 403, 404, 406, 410, 429, 444, 451, 499, 500, 502, 503, 504, 599), "refused"),
        ((0,), "refused"),
        ((200, 204, 206, 301, 302, 303, 304, 307, 308), "disallowed"),
        ((400, 405, 408, 418, 421), "disallowed"),
    ],
)
def test_refused_means_no_content_and_the_report_lists_each_status(
    tmp_path: Path, statuses: tuple[int, ...], counter: str
) -> None:
    lines = [line(f"/{status}", status=status).replace(b'" 0 ', b'" 000 ') for status in statuses]
    html = tmp_path / "r.html"
    document = checked(tmp_path, *lines, options=("--html", str(html))).document
    assert document["total"][counter] == len(statuses)
    assert [row["status"] for row in document["statuses"]] == sorted(statuses)
    assert {row[counter] for row in document["statuses"]} == {1}
    assert {row["counts_as"] for row in document["statuses"]} == {
        "refused" if counter == "refused" else "fetched"
    }
    assert "by the status of the response" in html.read_text()


def test_a_method_makes_no_difference(tmp_path: Path) -> None:
    lines = [line("/a").replace(b'"GET', b'"' + method) for method in (b"HEAD", b"POST", b"GET")]
    assert total(tmp_path, *lines)["disallowed"] == 3


JSON = '{"remote_addr": "192.0.2.7", "time_iso8601": "2026-10-01T10:00:00Z", "request_uri": "/x"%s}\n'


@pytest.mark.parametrize(
    ("text", "options", "looked_for"),
    [
        (JSON % "", (), "'http_user_agent', 'user_agent', 'agent', 'useragent'"),
        (JSON % ', "ua": "GPTBot/1.2"', (), "'http_user_agent'"),
        (JSON % ', "ua": "GPTBot/1.2"', (), '"agent":"$http_user_agent"'),
        ('{"a": "192.0.2.7", "b": "2026-10-01T10:00:00Z", "c": "GPTBot/1.2"}\n', (), '"$http_user_agent"'),
        ("User-agent: GPTBot\nDisallow: /\n", ("--format", "combined"), "none of the first 2 lines fits"),
        ("2026-10-01\t10:00:00\tx\tGPTBot/1.2\n", ("--format", "cloudfront"), "#Fields:"),
        ("GPTBot was here\n", ("--format", "w3c"), "#Fields:"),
        (
            '192.0.2.1 - - [01/Oct/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5\n',
            (),
            "no field for the User-Agent",
        ),
        (
            "#Fields: date time cs-uri-stem sc-status c-ip\n2026-10-01 10:00:00 / 200 192.0.2.1\n",
            (),
            "cs(User-Agent)",
        ),
    ],
)
def test_a_log_without_user_agents_is_an_error(
    tmp_path: Path, text: str, options: tuple[str, ...], looked_for: str
) -> None:
    (tmp_path / "access.log").write_text(text)
    (tmp_path / "robots.txt").write_text(CLOSED)
    outcome = check_logs_here(tmp_path / "access.log", "--robots", tmp_path / "robots.txt", *options)
    assert (outcome.code, outcome.out) == (2, b"")
    assert looked_for in outcome.err
    assert "access.log" in outcome.err


def test_json_of_any_server_is_read_with_an_example_line_as_format(tmp_path: Path) -> None:
    keys = (
        '{"ClientAddr":"%s:5","ClientHost":"%s","DownstreamStatus":%s,"RequestHost":"%s","RequestMethod":"GET",'
        '"RequestPath":"%s","level":"info","request_User-Agent":"%s","time":"%s"}'
    )
    written = keys % (OPENAI, OPENAI, 200, "a.example", "/x", GPTBOT, "2026-10-01T10:00:00Z")
    names = ("peer", "remote_addr", "status", "host", "request_uri", "http_user_agent", "time_iso8601")
    form = keys % tuple(f"${name}" for name in names)
    document = checked(tmp_path, written.encode(), options=("--format", form)).document
    assert document["total"]["disallowed_by_identity"]["verified"] == 1
    assert document["crawlers"][0]["examples"][0]["site"] == "a.example"


def test_a_user_agent_that_was_not_sent_is_no_missing_key(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(
        JSON % ', "http_user_agent": ""' + JSON % ', "http_user_agent": null'
    )
    (tmp_path / "robots.txt").write_text(CLOSED)
    assert check_logs_here(tmp_path / "access.log", "--robots", tmp_path / "robots.txt").code == 0


def test_without_a_readable_crawler_line_there_is_no_verdict(tmp_path: Path) -> None:
    broken = [b"GPTBot/1.2 was here"] * 30
    readable = line("/a", user_agent="Mozilla/5.0 Firefox/140.0")
    outcome = checked(tmp_path, readable, *broken, options=("--format", "combined"))
    assert (outcome.code, outcome.out) == (2, b"")
    assert "none of the lines that name a crawler can be read (30 of 31 lines)" in outcome.err
    # One odd line among many is only a note.
    assert checked(tmp_path, *[readable] * 40, broken[0]).code == 0


NAMED = "User-agent: AhrefsBot\nUser-agent: newaicrawler\nDisallow: /\n\nUser-agent: *\nAllow: /\n"


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "AhrefsBot"),
        ("Mozilla/5.0 (compatible; NewAICrawler/1.0; +https://new-ai.example/bot)", "NewAICrawler"),
        ("ahrefsbot", "AhrefsBot"),
    ],
)
def test_every_crawler_that_the_policy_names_is_judged(tmp_path: Path, user_agent: str, token: str) -> None:
    html = tmp_path / "r.html"
    outcome = checked(
        tmp_path, line("/a", user_agent=user_agent), robots=NAMED, options=("--html", str(html))
    )
    (crawler,) = outcome.document["crawlers"]
    assert (crawler["product_token"], crawler["operator"], crawler["disallowed"]) == (token, None, 1)
    assert crawler["identity"]["unverifiable"] == 1
    assert outcome.code == 1
    assert f"1 fetch that names {token} was disallowed by robots.txt and can" in html.read_text()


IMESSAGE = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0"
)


@pytest.mark.parametrize("named", ["Facebot", "Twitterbot", "facebookexternalhit", "GPTBot"])
def test_a_link_preview_of_imessage_is_no_crawler(tmp_path: Path, named: str) -> None:
    robots = f"User-agent: {named}\nDisallow: /\n"
    document = checked(tmp_path, line("/a", user_agent=IMESSAGE), robots=robots).document
    assert document["crawlers"] == []
    assert document["unknown_crawlers"]["fetches"] == 0
    own = checked(tmp_path, line("/a", user_agent="MeWeBot/1.0 (like Googlebot/2.1)"), robots=robots)
    assert own.document["unknown_crawlers"]["listed"][0]["name"] == "MeWeBot"


def test_a_browsers_name_in_a_policy_accuses_no_reader(tmp_path: Path) -> None:
    robots = "User-agent: Mozilla\nUser-agent: Safari\nUser-agent: Chrome\nDisallow: /\n"
    agent = (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"
    )
    assert total(tmp_path, line("/a", user_agent=agent), robots=robots)["fetches"] == 0


def test_unknown_self_declared_crawlers_are_listed(tmp_path: Path) -> None:
    agents = [
        "Mozilla/5.0 (compatible; BrandNewAIBot/1.0; +https://new-ai.example/bot)",
        "BrandNewAIBot/2.0; +https://new-ai.example/bot",
        "SomeSpider/1.0",
        "curl/8.0",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0 Mobile",
    ]
    outcome = checked(tmp_path, *(line("/a", user_agent=agent) for agent in agents))
    document = outcome.document
    assert [(row["name"], row["fetches"]) for row in document["unknown_crawlers"]["listed"]] == [
        ("BrandNewAIBot", 2),
        ("SomeSpider", 1),
    ]
    assert (
        document["lines"]["unknown_crawlers"],
        document["lines"]["other"],
        document["total"]["fetches"],
    ) == (3, 5, 0)
    assert outcome.code == 0
    assert (
        "BrandNewAIBot"
        in check_logs_here(tmp_path / "access.log", "--robots", tmp_path / "robots.txt").out.decode()
    )


def test_names_of_unknown_crawlers_are_shortened_and_counted(tmp_path: Path) -> None:
    lines = [line("/a", user_agent=f"{'x' * 300}{n}Bot/1.0 Bot{n}/1.0") for n in range(200)]
    found = checked(tmp_path, *lines).document["unknown_crawlers"]
    assert (found["fetches"], found["names"], len(found["listed"])) == (200, 200, 10)
    assert max(len(row["name"]) for row in found["listed"]) <= 64


AUDIT = "Mozilla/5.0 (compatible; {}/1.0; sent by aipolicy/0.2.0)"


@pytest.mark.parametrize("token", ["GPTBot", "CCBot", "Bytespider", "NewAICrawler", "NeverSeenBot"])
@pytest.mark.parametrize("address", [IMPOSTOR, EDGE, "10.0.0.3"])
def test_an_audit_of_the_site_is_no_fetch_of_a_crawler(tmp_path: Path, token: str, address: str) -> None:
    robots = "User-agent: newaicrawler\nUser-agent: *\nDisallow: /\n"
    lines = [
        line(path, user_agent=AUDIT.format(token), address=address) for path in ("/a", "/b", "/robots.txt")
    ]
    html = tmp_path / "r.html"
    outcome = checked(tmp_path, *lines, robots=robots, options=("--html", str(html)))
    document = outcome.document
    assert (outcome.code, document["crawlers"], document["unknown_crawlers"]["fetches"]) == (0, [], 0)
    assert (document["lines"]["other"], document["statuses"], document["proxies"]) == (3, [], [])
    (note,) = document["notes"]
    assert note.startswith("3 requests of aipolicy's own site audit are left out")
    assert "own site audit are left out" in html.read_text()
    shown = check_logs_here(tmp_path / "access.log", "--robots", tmp_path / "robots.txt")
    assert "site audit are left out" in shown.err


@pytest.mark.parametrize(
    ("version", "noted"),
    [({"preset": "no-training"}, True), ({"robots_txt": "User-agent: GPTBot\nDisallow: /\n"}, False)],
)
def test_a_policy_rendered_with_the_present_crawler_table_has_a_note(
    tmp_path: Path, version: dict[str, str], noted: bool
) -> None:
    (tmp_path / "access.log").write_bytes(line("/a") + b"\n")
    (tmp_path / "policies.jsonl").write_text(json.dumps({"site": "a.example", **version}))
    html = tmp_path / "r.html"
    arguments = (tmp_path / "access.log", "--policies", tmp_path / "policies.jsonl", "--json", "--html", html)
    document = check_logs_here(*arguments).document
    table = document["method"]["crawler_table"]
    start = f"the policies are rendered with the crawler table of {table}"
    assert [note.startswith(start) for note in document["notes"]] == [True] * noted
    assert f"is rendered with the crawler table of {table}." in html.read_text()
    text = re.sub("<[^>]*>", "", html.read_text())
    assert f"policy in force: {tmp_path / 'policies.jsonl'}, line 1" in text


def test_the_words_of_an_audit_hide_no_verified_crawler(tmp_path: Path) -> None:
    lines = [line("/a", user_agent=AUDIT.format("GPTBot"), address=address) for address in (OPENAI, IMPOSTOR)]
    outcome = checked(tmp_path, *lines)
    assert outcome.code == 1
    assert outcome.document["total"]["disallowed_by_identity"]["verified"] == 1
    assert outcome.document["total"]["fetches"] == 1
    (note,) = outcome.document["notes"]
    assert note.startswith("1 request of aipolicy's own site audit is left out")


@pytest.mark.parametrize("agent", [GPTBOT, CLAUDE])
def test_unknown_crawlers_change_no_other_figure(tmp_path: Path, agent: str) -> None:
    found = total(tmp_path, line("/a", user_agent=agent), line("/a", user_agent="OtherBot/1.0"))
    assert found["fetches"] == 1
