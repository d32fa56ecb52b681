"""Errors of other programs with such logs, and text that attackers write into them."""

from pathlib import Path
from typing import Any

import pytest

from tests.accesslog.labelled.command import check_logs
from tests.accesslog.labelled.handwritten import (
    DISALLOWING,
    GPTBOT,
    OPENAI,
    ROBOTS,
    SITE,
    line,
    write_log,
    write_policies,
)

CLAUDEBOT = "Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)"

_NONE = {"unknown_crawlers": 0, "left_out": 0}


def document(folder: Path, *lines: bytes, options: tuple[str, ...] = ROBOTS) -> dict[str, Any]:
    return check_logs(folder, write_log(folder, *lines), *options, "--json").document


def only(found: dict[str, Any]) -> dict[str, Any]:
    assert len(found["crawlers"]) == 1, found["crawlers"]
    crawler: dict[str, Any] = found["crawlers"][0]
    return crawler


def test_a_vhost_column_is_neither_lost_nor_read_as_the_address(tmp_path: Path) -> None:
    lines = [line(host="a.example"), line(host="a.example:443"), line(host="b.example")]
    policies = write_policies(
        tmp_path, {"site": "a.example", "at": "2026-01-01T00:00:00Z", "robots_txt": DISALLOWING}
    )
    found = document(tmp_path, *lines, options=("--policies", policies))
    crawler = only(found)
    assert (crawler["disallowed"], crawler["allowed"], found["sites"]) == (2, 1, 2)
    assert crawler["identity"]["verified"] == 3


@pytest.mark.parametrize("preset", ["no-training", "no-ai"])
def test_a_preset_that_blocks_is_not_read_as_one_that_allows(tmp_path: Path, preset: str) -> None:
    """The file of every preset ends with "User-agent: *" and "Allow: /"."""
    policies = write_policies(tmp_path, {"site": SITE, "at": "2026-01-01T00:00:00Z", "preset": preset})
    options = ("--policies", policies, "--site", SITE)
    agents = [GPTBOT, CLAUDEBOT, "Bytespider/1.0", "CCBot/2.0 (https://commoncrawl.org/faq/)"]
    found = document(tmp_path, *(line("/", user_agent=agent) for agent in agents), options=options)
    closed = [crawler["disallowed"] + crawler["disallowed_spoofed"] for crawler in found["crawlers"]]
    assert closed == [1, 1, 1, 1]
    found = document(tmp_path, line("/", user_agent="Googlebot/2.1"), options=options)
    assert only(found)["allowed"] == 1


@pytest.mark.parametrize(
    ("address", "user_agent", "identity"),
    [
        (OPENAI, GPTBOT, "verified"),
        (f"::ffff:{OPENAI}", GPTBOT, "verified"),
        (f"::FFFF:{OPENAI}", GPTBOT, "verified"),
        ("::ffff:84c4:562c", GPTBOT, "verified"),
        ("216.73.216.5", CLAUDEBOT, "operator_verified"),
        ("::ffff:216.73.219.250", CLAUDEBOT, "operator_verified"),
        ("192.0.2.9", GPTBOT, "spoofed"),
        ("::ffff:192.0.2.9", GPTBOT, "spoofed"),
        ("216.73.216.5", GPTBOT, "spoofed"),
        (OPENAI, CLAUDEBOT, "spoofed"),
        ("192.0.2.9", "Bytespider/1.0", "unverifiable"),
        ("192.0.2.9", "meta-externalagent/1.1", "unverifiable"),
    ],
)
def test_an_identity_follows_from_the_operators_published_checks(
    tmp_path: Path, address: str, user_agent: str, identity: str
) -> None:
    counts = only(document(tmp_path, line(address=address, user_agent=user_agent)))["identity"]
    assert {name for name, number in counts.items() if number} == {identity}


@pytest.mark.parametrize("address", ["-", "unknown", "crawl-1.openai.example", "unix:", "999.1.1.1"])
def test_an_invalid_address_is_not_a_forgery(tmp_path: Path, address: str) -> None:
    found = document(tmp_path, *[line()] * 9, line(address=address))
    assert found["total"]["identity"]["spoofed"] == 0
    assert found["lines"]["crawler"] + found["lines"]["unreadable"] == 10


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("How does GPTBot work? - curl/8.0", None),
        ("Mozilla/5.0 (compatible; NotGPTBotx/1.0)", None),
        ("Feed/1.0 (gptbot@openai.com; +claudebot@anthropic.com)", None),
        ("Feed/1.0 (+https://openai.com/gptbot)", None),
        ("Claude-SearchBot/1.0", "Claude-SearchBot"),
        ("Mozilla/5.0 (compatible; Claude-User/1.0)", "Claude-User"),
        ("MistralAI-Training/1.0", "MistralAI-Training"),
        ("gptbot/1.2", "GPTBot"),
        (r"Mozilla/5.0\x22 200 5 \x22-\x22 \x22GPTBot/1.2", None),
        (r"x\" 200 1 \"-\" \"GPTBot/1.2", None),
        (r"Mozilla/5.0 (compatible; GPTBot/1.2) \x22quoted\x22", "GPTBot"),
        (r"GPTBot/1.2 \xFF\xFE", "GPTBot"),
        ("GPTBot/1.2 %s%n%x %00", "GPTBot"),
        ("GPTBot/1.2 <script>alert(1)</script>", "GPTBot"),
    ],
)
def test_the_user_agent_declares_the_crawler(tmp_path: Path, user_agent: str, token: str | None) -> None:
    found = document(tmp_path, line(), line(user_agent=user_agent))
    others = [c["product_token"] for c in found["crawlers"] for _ in range(c["fetches"])]
    others.remove("GPTBot")
    assert others == ([token] if token else [])
    assert found["lines"]["unreadable"] == 0


def test_a_token_in_the_path_or_the_referrer_is_not_a_crawler(tmp_path: Path) -> None:
    plain = line("/GPTBot/1.2?a=ClaudeBot", user_agent="curl/8.0").replace(
        b'"-"', b'"https://x/?q=GPTBot/1.2"'
    )
    found = document(tmp_path, line(), plain)
    assert found["lines"] == {"read": 2, "crawler": 1, "other": 1, "unreadable": 0, **_NONE}


def test_user_agents_that_differ_at_the_end_are_distinguished(tmp_path: Path) -> None:
    """The cache key is the whole User-Agent."""
    long = "Mozilla/5.0 (" + "x" * 300 + "; compatible; "
    lines = [line(user_agent=f"{long}{token}/1.0)") for token in ("GPTBot", "ClaudeBot", "Nothing")] * 500
    found = document(tmp_path, *lines)
    counts = {crawler["product_token"]: crawler["fetches"] for crawler in found["crawlers"]}
    assert (counts, found["lines"]["other"]) == ({"GPTBot": 500, "ClaudeBot": 500}, 500)


def test_a_longer_token_of_one_list_is_not_bound_by_a_shorter_group(tmp_path: Path) -> None:
    found = document(tmp_path, line(user_agent="Claude-SearchBot/1.0"), line(user_agent="ClaudeBot/1.0"))
    counts = {c["product_token"]: (c["allowed"], c["disallowed_spoofed"]) for c in found["crawlers"]}
    assert counts == {"Claude-SearchBot": (1, 0), "ClaudeBot": (0, 1)}


def test_lines_of_a_megabyte_are_lines(tmp_path: Path) -> None:
    long = "/private/" + "a" * 1_000_000
    lines = [
        *[line()] * 9,
        line(long),
        line("/" + "b" * 1_000_000, user_agent="curl/8.0"),
        line(user_agent=GPTBOT + "; " + "c" * 1_000_000),
        b"GPTBot/1.2 " + b"d" * 1_000_000,
        b"e" * 1_000_000,
    ]
    found = document(tmp_path, *lines)
    assert found["lines"] == {"read": 14, "crawler": 11, "other": 2, "unreadable": 1, **_NONE}
    assert only(found)["disallowed"] == 11
    assert len(found["unreadable"][0]["text"]) < 10_000


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    referrer = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e".encode() + b"\r\xff\x00"
    odd = line().replace(b'"-"', b'"https://x.example/' + referrer + b'"')
    found = document(tmp_path, line(), odd, line("/open"))
    assert found["lines"] == {"read": 3, "crawler": 3, "other": 0, "unreadable": 0, **_NONE}


def test_text_of_attackers_is_text_in_the_report_and_on_the_terminal(tmp_path: Path) -> None:
    script, image = "<script>alert(1)</script>", "<img src=x onerror=alert(2)>"
    lines = [
        line(f"/private/{image}", user_agent=f"GPTBot/1.2 {script}", host=SITE),
        line(r"/private/\x1B[31mred\x07", user_agent=r"GPTBot/1.2 \x1B]0;title\x07", host=SITE),
        line("/private/</script><!--", user_agent=r"GPTBot/1.2 \x22 onmouseover=\x22alert(3)", host=SITE),
        f"GPTBot/1.2 {script}\x1b[2J{image}".encode(),
    ]
    write_log(tmp_path, *lines)
    options = ("--by", "path", "--html", "report.html")
    arguments = (*ROBOTS, *options)
    outcome = check_logs(tmp_path, "access.log", *arguments, "--format", "%v %h %l %u %t \"%r\" %>s %b "
                         "\"%{Referer}i\" \"%{User-Agent}i\"")  # fmt: skip
    assert outcome.code == 1
    report = (tmp_path / "report.html").read_text()
    for written in (script, image, "</script><!--", '" onmouseover="alert', "\x1b", "\x07"):
        assert written not in report
    assert "&lt;script&gt;alert(1)" in report
    assert not {b"\x1b", b"\x07"} & {outcome.out[i : i + 1] for i in range(len(outcome.out))}


def test_an_unreadable_time_is_counted_and_not_guessed(tmp_path: Path) -> None:
    times = [
        "32/Oct/2026:10:00:00 +0000",
        "01/Oct/2026:25:00:00 +0000",
        "01/Okt/2026:10:00:00 +0000",
        "",
        "-",
    ]
    found = document(tmp_path, line(), *(line(time=time) for time in times))
    assert (found["lines"]["crawler"], found["lines"]["unreadable"]) == (1, len(times))
    assert [entry["line"] for entry in found["unreadable"]] == list(range(2, 2 + len(found["unreadable"])))


def test_times_are_compared_whatever_their_zone(tmp_path: Path) -> None:
    policies = write_policies(
        tmp_path,
        {"site": SITE, "at": "2026-09-01T00:00:00Z", "robots_txt": "User-agent: *\nAllow: /\n"},
        {"site": SITE, "at": "2026-10-01T00:00:00+02:00", "robots_txt": DISALLOWING},
    )
    times = ["30/Sep/2026:21:59:59 +0000", "01/Oct/2026:00:00:00 +0200", "01/Oct/2026:18:00:01 -0400"]
    times += ["02/Oct/2026:00:30:01 +0230"]
    lines = [line(time=time) for time in times]
    crawler = only(document(tmp_path, *lines, options=("--policies", policies, "--site", SITE)))
    # The last second before; the first of 24 hours; and twice the first second after them.
    assert [crawler[name] for name in ("allowed", "in_grace", "disallowed")] == [1, 1, 2]
    assert crawler["first"] == "2026-09-30T21:59:59Z"


@pytest.mark.parametrize(
    ("path", "counter"),
    [
        ("/private/", "disallowed"),
        ("/%70rivate/", "disallowed"),
        ("/private%2Fx", "allowed"),
        ("/PRIVATE/", "allowed"),
        ("/x/../private/", "allowed"),
        ("/private/../open", "disallowed"),
        ("//private/", "allowed"),
        ("/open?/private/", "allowed"),
        ("http://a.example/private/", "disallowed"),
        ("/robots.txt", "robots_txt_reads"),
        ("/robots.txt?v=1", "robots_txt_reads"),
        ("/private/robots.txt", "disallowed"),
        ("/robots.txt/", "allowed"),
        (r"/private/\x22 200 \xC3\xA9", "disallowed"),
    ],
)
def test_paths_are_compared_by_the_standard(tmp_path: Path, path: str, counter: str) -> None:
    assert only(document(tmp_path, line(path)))[counter] == 1


def test_a_client_behind_a_proxy_is_found_in_the_forwarded_column(tmp_path: Path) -> None:
    lines = [
        line(address="10.0.0.1") + b' "203.0.113.7, 132.196.86.44, 10.9.9.9"',
        line(address="10.0.0.1") + b' "132.196.86.45, 192.0.2.9, 10.9.9.9"',
    ]
    name = write_log(tmp_path, *lines)
    form = (
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent" "$http_x_forwarded_for"'
    )
    outcome = check_logs(tmp_path, name, *ROBOTS, "--format", form, "--forwarded=2", "--json")
    identity = only(outcome.document)["identity"]
    assert (identity["verified"], identity["spoofed"]) == (1, 1)


def test_a_host_that_moved_is_judged_by_its_site_at_that_time(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from aipolicy.core.policy import SitePolicy
    from aipolicy.registry import Registry

    now = datetime(2026, 9, 1, tzinfo=UTC)
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url, clock=lambda: now) as registry:
        registry.put(SitePolicy.from_preset("no-ai", site="old.example"), by="x", hosts=["moved.example"])
        registry.put(SitePolicy.from_preset("unset", site="new.example"), by="x", hosts=[])
        now = datetime(2026, 10, 1, tzinfo=UTC)
        registry.put(SitePolicy.from_preset("no-ai", site="old.example"), by="x", hosts=[])
        registry.put(SitePolicy.from_preset("unset", site="new.example"), by="x", hosts=["moved.example"])
    before = line("/", host="moved.example", time="20/Sep/2026:10:00:00 +0000")
    after = line("/", host="moved.example", time="20/Oct/2026:10:00:00 +0000")
    crawler = only(document(tmp_path, before, after, options=("--registry", url)))
    assert (crawler["disallowed"], crawler["allowed"]) == (1, 1)
