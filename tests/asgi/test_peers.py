"""Mistakes that other tools of this kind make."""

import os
import subprocess
import sys

import pytest

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.lookup import CachedLookup
from aipolicy.robotstxt.merge import robots_txt
from tests.asgi.apps import answering, lookup
from tests.asgi_client import request
from tests.readers import READERS


@pytest.mark.parametrize("preset", ["no-training", "no-ai"])
def test_a_stance_is_never_inverted(preset: Preset) -> None:
    robots = robots_txt(SitePolicy.from_preset(preset))
    assert not any(reader.allowed(robots, "GPTBot", "/") for reader in READERS)


async def test_a_flag_that_is_off_grants_nothing() -> None:
    response = await request(AIPolicyMiddleware(answering(), lookup(silent=False)), host="silent.example")
    assert (response.one("content-usage"), response.one("tdm-reservation")) == (None, None)


@pytest.mark.parametrize(("opted_out", "preset"), [(True, "no-training"), (False, "unset")])
def test_one_flag_has_one_meaning(opted_out: bool, preset: Preset) -> None:
    assert SitePolicy.from_flag(opted_out).preferences == PRESETS[preset]


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)",
        "facebookexternalhit/1.1",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; SLCC1)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "ScrapyFan browser",
        "OpenAI-Fan/1.0 (I like GPTBot)",
        "",
    ],
)
async def test_nobody_is_refused_for_a_part_of_a_name(user_agent: str) -> None:
    app = AIPolicyMiddleware(answering(), lookup(), enforce="declared")
    assert (await request(app, "/post", user_agent=user_agent)).status == 200


async def test_a_refused_crawler_can_read_robots_txt() -> None:
    app = AIPolicyMiddleware(answering(), lookup(), enforce="declared")
    response = await request(app, "/robots.txt", user_agent="GPTBot/1.1")
    assert (response.status, b"Disallow: /" in response.body) == (200, True)


def test_every_process_writes_the_same_bytes() -> None:
    command = (
        "from aipolicy import SitePolicy, robots_txt; "
        "print(robots_txt(SitePolicy.from_preset('no-ai')).decode())"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", command],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(written) == 1


async def test_a_failure_is_never_answered_with_an_empty_robots_txt() -> None:
    async def broken(host: str) -> bool:
        raise OSError("no database")

    response = await request(AIPolicyMiddleware(answering(), CachedLookup(broken)), "/robots.txt")
    assert response.status == 200
    assert not any(reader.allowed(response.body, "GPTBot", "/") for reader in READERS)


@pytest.mark.parametrize("path", ["/robots.txt", "/.well-known/tdmrep.json", "/"])
async def test_an_unknown_host_is_no_server_error(path: str) -> None:
    response = await request(AIPolicyMiddleware(answering(), lookup()), path, host="nobody.example")
    assert response.status == 200


async def test_an_opt_out_is_in_force_as_soon_as_it_is_invalidated() -> None:
    flags = {"blog.example": False}
    flag_lookup = CachedLookup(flags.get, ttl=3600)
    app = AIPolicyMiddleware(answering(), flag_lookup)
    assert (await request(app)).one("content-usage") is None
    flags["blog.example"] = True
    flag_lookup.invalidate("blog.example")
    assert (await request(app)).one("content-usage") == "train-ai=n"


def test_signals_are_in_every_group_that_allows_crawling_and_not_only_in_the_one_for_everyone() -> None:
    policy = SitePolicy.from_preset("no-training", licensed=["GPTBot"])
    groups = robots_txt(policy, base="User-agent: Googlebot\nAllow: /\n").decode().split("\n\n")
    open_groups = [group for group in groups if "Allow: /" in group.replace("Disallow: /", "")]
    assert len(open_groups) == 3
    assert all("Content-Signal: search=yes, ai-train=no" in group for group in open_groups)
