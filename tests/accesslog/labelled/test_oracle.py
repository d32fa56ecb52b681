"""The oracle and the writers, on requests that are counted by hand."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.accesslog.labelled import linewise, objects, tables
from tests.accesslog.labelled.clients import Client
from tests.accesslog.labelled.definitions import Judgement, Rule
from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.logs import Line, LogFile, kind_unread, write_down
from tests.accesslog.labelled.oracle import Choice, disallowed_lines, expected
from tests.accesslog.labelled.sites import make_sites, write_jsonl, write_registry
from tests.accesslog.labelled.traffic import Request, make_requests
from tests.accesslog.labelled.worlds import World

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
RULE = Rule(False, "/private/", 4)
ASKED = Request(
    time=NOON,
    host="A.example:443",
    method="GET",
    path=b'/private/caf\xc3\xa9?"x\\',
    status=200,
    referrer=b"-",
    client=Client("GPTBot/1.2", "132.196.86.44", "GPTBot", "verified"),
    site="a.example",
    judgement=Judgement("disallowed", RULE),
)
PLAIN = replace(ASKED, path=b"/private/x?y=1")


def as_file(*lines: Line) -> LogFile:
    return LogFile("access.log", linewise.VCOMBINED, lines)


def crawler(request: Request) -> Line:
    return Line(b"...", "crawler", request)


def test_every_number_is_the_sum_of_labels() -> None:
    read = replace(ASKED, time=NOON - timedelta(hours=1), judgement=Judgement("robots_txt_reads"))
    spoofed = replace(
        ASKED, client=Client("ClaudeBot/1.0", "192.0.2.44", "ClaudeBot", "spoofed"), site="b.example"
    )
    file = as_file(
        crawler(ASKED), Line(b"x", "other"), Line(b"GPTBot", "unreadable"), crawler(read), crawler(spoofed)
    )
    found = expected([file], {"a.example"})
    assert found["lines"] == {
        "read": 5,
        "crawler": 3,
        "other": 1,
        "unreadable": 1,
        "unknown_crawlers": 0,
        "left_out": 0,
    }
    assert found["period"] == {"from": NOON - timedelta(hours=1), "to": NOON}
    assert (found["sites"], found["without_policy"]) == (2, {"fetches": 1, "sites": 1})
    assert found["days"] == {
        ("2026-10-01", "GPTBot"): (2, 1, 0, 1),
        ("2026-10-01", "ClaudeBot"): (1, 0, 1, 0),
    }
    assert found["crawlers"]["GPTBot"]["rules"] == {("Disallow: /private/", 4): 1}
    assert found["crawlers"]["GPTBot"]["identity"]["verified"] == 2
    claude = found["crawlers"]["ClaudeBot"]
    assert (claude["disallowed"], claude["disallowed_spoofed"], claude["rules"]) == (0, 1, {})
    assert (found["total"]["disallowed"], found["total"]["disallowed_spoofed"]) == (1, 1)
    assert [number for _, number, *_ in disallowed_lines([file])] == [1, 5]


def test_lines_outside_the_selection_count_as_other_lines() -> None:
    later = replace(ASKED, time=NOON + timedelta(hours=1), site="b.example")
    file = as_file(crawler(ASKED), crawler(later))
    for choice in (Choice(since=NOON + timedelta(seconds=1)), Choice(sites=frozenset({"b.example"}))):
        found = expected([file], {"a.example"}, choice)
        assert (found["lines"]["crawler"], found["lines"]["other"], found["lines"]["left_out"]) == (1, 1, 1)
        assert found["period"]["from"] == later.time


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"GPTBot/1.2 was here", "unreadable"),
        (b"(gptbot)", "unreadable"),
        (b"nothing", "other"),
        (b"NotGPTBotx", None),
    ],
)
def test_a_broken_line_is_unreadable_if_it_contains_a_token(raw: bytes, kind: str | None) -> None:
    assert kind_unread(raw) == kind


@pytest.mark.parametrize(
    ("form", "request_", "written"),
    [
        (linewise.COMBINED, ASKED,
         rb'"GET /private/caf\xC3\xA9?\x22x\x5C HTTP/1.1" 200 '),
        (linewise.COMBINED_APACHE, ASKED,
         rb'"GET /private/caf\xc3\xa9?\"x\\ HTTP/1.1" 200 '),
        (linewise.VCOMBINED, PLAIN, b"A.example:443 132.196.86.44 - "),
        (linewise.NGINX_OWN, PLAIN,
         b"2026-10-01T12:00:00Z|A.example:443|132.196.86.44|200|GET /private/x?y=1 "),
        (linewise.COMMON, PLAIN, b' HTTP/1.1" 200 512'),
        (objects.NGINX_JSON, ASKED, b'"request":"GET /private/caf\xc3\xa9?\\"x\\\\ HTTP/1.1","status":"200"'),
        (objects.CLOUDFLARE_NANOSECONDS, PLAIN, b"1790856000000000000"),
        (tables.W3C, PLAIN,
         b"2026-10-01 12:00:00 10.1.1.1 GET /private/x y=1 443 - 132.196.86.44 GPTBot/1.2 - "),
        (tables.CLOUDFRONT, PLAIN,
         b"\tGET\td111111abcdef8.cloudfront.net\t/private/x\t200\t-\tGPTBot/1.2\ty=1\t"),
        (tables.ALB, PLAIN, b":443/private/x?y=1 HTTP/1.1\" \"GPTBot/1.2\" "),
    ],
)  # fmt: skip
def test_forms_are_written_like_their_servers(form: Form, request_: Request, written: bytes) -> None:
    lines = {form.line(request_, None, random.Random(seed)) for seed in range(30)}
    assert any(written in line for line in lines), sorted(lines)[0]
    assert form.carries(PLAIN)


def test_a_form_without_user_agents_has_no_crawlers() -> None:
    assert write_down(ASKED, linewise.COMMON, random.Random(1)).kind == "other"
    assert write_down(ASKED, linewise.COMBINED, random.Random(1)).kind == "crawler"


def test_a_world_has_every_kind_of_request(world: World) -> None:
    found = world.expected()
    total = found["total"]
    assert min(total[name] for name in ("allowed", "disallowed", "in_grace", "exempt", "refused")) > 5
    assert min(total["identity"].values()) > 5
    assert min(found["lines"][kind] for kind in ("crawler", "other", "unreadable")) > 5
    assert found["without_policy"]["fetches"] > 5
    assert total["disallowed_spoofed"] > 5
    assert found["site_audits"] > 5
    verified = [line.request for file in world.files for line in file.lines if line.request]
    assert any("sent by aipolicy/" in request.client.user_agent and request.crawler for request in verified)
    assert found["crawlers"]["NewAICrawler"]["disallowed"] > 0
    assert found["unknown_crawlers"]["newaicrawler"] > 0
    assert found["unknown_crawlers"]["brandnewaibot"] > 0
    edges = [line.request for file in world.files for line in file.lines if line.request]
    assert {request.crawler for request in edges} >= {
        "Claude-SearchBot",
        "MistralAI-Training",
        "Kangaroo Bot",
    }


def test_worlds_of_one_seed_are_the_same_bytes(world: World) -> None:
    rng, again = random.Random(5), random.Random(5)
    sites = make_sites(rng, 12)
    assert tuple(make_sites(again, 12)) == tuple(sites) == world.sites
    assert make_requests(rng, sites, 50) == make_requests(again, sites, 50)


def test_a_registry_keeps_the_history_of_the_policies(world: World) -> None:
    from aipolicy.registry import Registry
    from aipolicy.robotstxt.merge import robots_txt

    url = write_registry(list(world.sites), world.folder / "history.db")
    with Registry(url) as registry:
        for site in world.sites:
            for statement in site.history:
                policy = registry.at(site.hosts[-1], statement.at)
                assert policy is not None
                assert robots_txt(policy, base=policy.robots_base).decode() == statement.robots_txt
    lines = write_jsonl(list(world.sites), world.folder / "history.jsonl", random.Random(1))
    assert len(lines) == sum(len(site.history) for site in world.sites)
