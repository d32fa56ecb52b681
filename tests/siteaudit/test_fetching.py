"""The requests of an audit: URLs, clients and number, also for a site that misbehaves."""

import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from aipolicy.errors import AIPolicyError, FetchTrouble
from aipolicy.siteaudit import collector
from aipolicy.siteaudit.audit import SiteReport
from aipolicy.siteaudit.collector import Collector
from aipolicy.siteaudit.runner import AuditOptions, audit_sites
from aipolicy.siteaudit.urls import page_url, page_urls
from aipolicy.web.fetcher import Fetcher
from tests.web.server import Server, answer, serving

ROBOTS = answer(b"User-agent: *\nDisallow: /post\n", "Content-Type: text/plain")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        running.answers |= {"/robots.txt": ROBOTS, "/post?x=1": answer(b"<p><a href=/other>other</a>")}
        yield running


def asked(server: Server) -> list[str]:
    return [head.split(" ")[1].partition("aipolicy=")[0] for head in server.requests]


async def reports(urls: list[str], **terms: object) -> list[SiteReport]:
    found: list[SiteReport] = []
    given = {"allow_private": True, "delay": 0} | terms
    await audit_sites([page_url(url) for url in urls], AuditOptions(**given), found.append)  # type: ignore[arg-type]
    return found


async def test_the_page_and_its_files_are_fetched_and_no_link_is_followed(server: Server) -> None:
    await reports([f"{server.origin}/post?x=1"])
    assert asked(server) == [
        *["/robots.txt", "/robots.txt?", "/robots.txt", "/robots.txt"],
        *["/.well-known/tdmrep.json", "/ai.txt"],
        *["/post?x=1", "/post?x=1&", "/post?x=1", "/post?x=1"],
    ]


async def test_every_request_names_aipolicy_and_some_also_a_crawler_or_a_browser(server: Server) -> None:
    await reports([f"{server.origin}/post?x=1"], crawlers=("CCBot", "GPTBot"))
    agents = [
        line.partition(": ")[2]
        for head in server.requests
        for line in head.splitlines()
        if line.lower().startswith("user-agent:")
    ]
    assert len(agents) == len(server.requests) == 12
    assert all("aipolicy/" in agent for agent in agents)
    assert sum("CCBot/" in agent for agent in agents) == sum("GPTBot/" in agent for agent in agents) == 2
    assert sum("Chrome/" in agent for agent in agents) == 2


async def test_caches_are_bypassed_by_an_unused_query_and_no_cache(server: Server) -> None:
    await reports([server.origin, f"{server.origin}/a"])
    past = [head for head in server.requests if "aipolicy=" in head.split(" ")[1]]
    assert len({head.split(" ")[1] for head in past}) == len(past) == 3
    assert all("Cache-Control: no-cache\r\n" in head for head in past)


async def test_a_page_that_differs_past_caches_is_fetched_once_more(server: Server) -> None:
    class Minding(dict[str, bytes]):
        """A page with other signals at any URL with a query."""

        def get(self, target: str, default: Any = None) -> Any:
            return answer(b"", "Content-Usage: train-ai=y") if "?" in target else super().get(target, default)

    server.answers = Minding(server.answers | {"/": answer(b"", "Content-Usage: train-ai=n")})
    (report,) = await reports([server.origin])
    assert asked(server)[-5:] == ["/", "/?", "/", "/", "/"]
    assert "Cache-Control: no-cache\r\n" in server.requests[-1]
    assert "page-differs-by-query" in {note.id for note in report.notes}
    assert "page-stale-copy" not in {found.id for found in report.findings}


async def test_the_files_of_an_origin_are_fetched_once(server: Server) -> None:
    await reports([f"{server.origin}/{number}" for number in range(5)])
    assert asked(server).count("/ai.txt") == 1
    assert sum(target.startswith("/robots.txt") for target in asked(server)) == 4


async def test_requests_to_one_host_are_spaced_and_never_two_at_once(server: Server) -> None:
    start = time.monotonic()
    await reports([f"{server.origin}/1", f"{server.origin}/2"], delay=0.05, jobs=8)
    assert time.monotonic() - start > 0.05 * (len(server.requests) - 1)


async def test_an_unreachable_host_is_tried_once() -> None:
    async with Fetcher(allow_private=True, seconds=5) as fetcher:
        observation = await Collector(fetcher, user_agent="aipolicy", delay=0).collect(
            page_url("http://127.0.0.1:1/post")
        )
    assert not observation.answered
    assert observation.page.plain.trouble is FetchTrouble.CONNECT
    assert observation.page.plain.asked == "http://127.0.0.1:1/post"
    assert observation.robots.fresh is None


async def test_a_site_that_never_answers_does_not_delay_others(server: Server) -> None:
    async with serving("127.0.0.2") as silent:
        silent.silent |= {"/robots.txt", "/"}
        found = await reports([silent.origin, server.origin], seconds=1.0, jobs=2)
    assert [report.observation.answered for report in found] == [True, False]
    (unreachable,) = found[1].findings
    assert unreachable.id == "unreachable"


async def test_all_answers_of_a_page_share_one_time_limit(server: Server) -> None:
    server.silent |= {"/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"}
    async with Fetcher(allow_private=True, seconds=0.2) as fetcher:
        collecting = Collector(fetcher, user_agent="aipolicy", delay=0, seconds=0.5)
        observation = await collecting.collect(page_url(f"{server.origin}/post"))
    assert observation.robots.plain.trouble is FetchTrouble.TIMEOUT
    assert observation.ai_txt.trouble is observation.page.plain.trouble is FetchTrouble.OVERTIME
    assert "all answers of this site have 0.5 seconds together" in observation.page.plain.reason
    assert "/post" not in asked(server)


async def test_a_bug_while_comparing_views_is_left_to_the_audit(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "differs_past_caches", lambda views: 1 // 0)
    (report,) = await reports([server.origin])
    assert report.observation.answered


async def test_delays_between_requests_do_not_count_against_the_limit(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(anyio, "sleep", pause)
    monkeypatch.setattr(collector, "time", SimpleNamespace(monotonic=lambda: now))
    async with Fetcher(allow_private=True, seconds=5) as fetcher:
        collecting = Collector(fetcher, user_agent="aipolicy", delay=60, seconds=60)
        observation = await collecting.collect(page_url(f"{server.origin}/post"))
    assert now >= 1000 + 9 * 60
    assert observation.page.browser is not None
    assert observation.page.browser.status == 404


async def test_a_large_robots_txt_is_read_as_far_as_crawlers_read_it(server: Server) -> None:
    server.answers["/robots.txt"] = answer(b"User-agent: *\n" + b"# 3456789\n" * 200_000)
    (report,) = await reports([server.origin])
    assert len(report.observation.robots.plain.body) == 500 * 1024 + 1
    assert "file-too-large" in {found.id for found in report.findings}


async def test_rfc9309_2_3_1_2_five_redirects_are_followed_and_no_more(server: Server) -> None:
    for number in range(6):
        server.answers[f"/{number}"] = answer(b"", f"Location: /{number + 1}", status="302 Found")
    server.answers["/6"] = ROBOTS
    server.answers["/robots.txt"] = answer(b"", "Location: /2", status="301 Moved")
    (five,) = await reports([server.origin])
    assert len(five.observation.robots.plain.hops) == 5
    server.answers["/robots.txt"] = answer(b"", "Location: /1", status="301 Moved")
    (six,) = await reports([server.origin])
    assert "robots-redirects" in {found.id for found in six.findings}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("blog.example", "https://blog.example/"),
        ("blog.example:8080/a?b=c#d", "https://blog.example:8080/a?b=c"),
        (" HTTP://Bücher.Example/ ", "http://xn--bcher-kva.example/"),
        ("http://[::1]:80/", "http://[::1]:80/"),
    ],
)
def test_a_url_is_read_as_people_write_it(text: str, url: str) -> None:
    assert page_url(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        *["", "ftp://a.example", "file:///etc/passwd", "https://", "http://a b", "http://a.example:x"],
        *["http://ada:secret@a.example/", "http://a.example:0", "javascript://x%0a", "http://a/\x1b"],
        "https://" + "a" * 5000,
    ],
)
def test_an_invalid_url_is_refused_and_no_password_printed(text: str) -> None:
    with pytest.raises(AIPolicyError) as caught:
        page_url(text)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_has_one_url_per_line_and_an_invalid_one_is_named() -> None:
    urls = page_urls(["# ours", "", "a.example", "b.example/x", "https://a.example/"], "urls.txt")
    assert [url.url for url in urls] == ["https://a.example/", "https://b.example/x"]
    with pytest.raises(AIPolicyError, match=r"urls\.txt, line 2: 'gopher://x'"):
        page_urls(["a.example", "gopher://x"], "urls.txt")
