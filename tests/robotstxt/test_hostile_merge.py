"""Hostile files in merging and matching: the work is bounded, and so is what is served."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from aipolicy.core.crawlers import CRAWLERS, crawler_named
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import RobotsTooLargeError
from aipolicy.rendering import render
from aipolicy.robotstxt.matching import GroupIndex
from aipolicy.robotstxt.merge import fitted_robots_txt, robots_txt
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.robotstxt.policy_effects import BLOCKED, effects_of
from aipolicy.signals.headers import headers_of
from aipolicy.signals.switches import Signals
from tests.effort import calls
from tests.hostile import NO, PATHS, POLICIES, YES, files
from tests.sizes import size

NO_AI = POLICIES["no AI"]
OTHERS = ("Googlebot", "SomeBot", "aaa", "ab")
FILES = files(size(full=MAX_ROBOTS_BYTES - 2048, ci=60_000))
LARGE = files()


@pytest.mark.proof
@pytest.mark.parametrize("name", FILES)
def test_the_work_of_merging_grows_with_the_file_alone(name: str) -> None:
    file = FILES[name]
    assert calls(lambda: fitted_robots_txt(NO_AI, None, file))[1] < 2_500_000 + 30 * len(file)


@pytest.mark.proof
@pytest.mark.parametrize("name", ["20 paths", "2,000 open paths", "8,000 paths", "20,000 sitemaps"])
def test_the_work_of_rendering_grows_with_the_policy_alone(name: str) -> None:
    policy = replace(POLICIES[name], robots_base=FILES["rules that another rule opens"].decode())
    entries = len(policy.path_preferences) + len(policy.sitemaps)
    assert calls(lambda: render(policy))[1] < 3_000_000 + 400 * entries


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("150 tokens, each in half of 120 groups", "no AI"),
        ("150 known tokens, each in half of 120 groups", "20 paths"),
        ("one group of as many rules as fit", "60,000 paths"),
        ("rules that another rule opens", "20 paths"),
        ("30,000 wildcards", "no AI"),
    ],
)
def test_a_file_that_does_not_fit_is_cut_and_nothing_is_opened(name: str, kind: str) -> None:
    policy, file = POLICIES[kind], LARGE[name]
    fitted = fitted_robots_txt(policy, None, file)
    assert len(fitted.body) <= MAX_ROBOTS_BYTES
    before, after = (
        GroupIndex.from_robots(RobotsTxt.parse(file)),
        GroupIndex.from_robots(RobotsTxt.parse(fitted.body)),
    )
    paths = ("/", "/1", "/1f3", "/3e8/x", "/27f", "/zz", "/*1f$", "/post/1f3", "/a1b2c3", "/5f/")
    for token in (*OTHERS, *(crawler.product_token for crawler in CRAWLERS[::10])):
        for path in paths:
            if not before.decide(token, path).allowed:
                assert not after.decide(token, path).allowed, (token, path, fitted.cut)
    for token, effect in effects_of(policy)[0].items():
        for path in paths if effect == BLOCKED else ():
            assert not after.decide(token, path).allowed
        for pattern, blocked in effect.paths[::3000]:
            if blocked:
                assert not after.decide(token, pattern).allowed


def test_ordinary_files_are_never_cut() -> None:
    own = "User-agent: *\nDisallow: /admin/\n" * 20
    fitted = fitted_robots_txt(NO_AI, None, own)
    assert fitted == (robots_txt(NO_AI, None, own), "")


def test_only_as_much_is_closed_as_must_be() -> None:
    own = "User-agent: *\n" + "".join(f"Disallow: /old/{number:06d}\n" for number in range(24_000))
    fitted = fitted_robots_txt(NO_AI, None, own[:511_000].rpartition("\n")[0])
    assert "the site's own rules are shortened" in fitted.cut
    index = GroupIndex.from_robots(RobotsTxt.parse(fitted.body))
    assert not index.decide("Googlebot", "/old/012345").allowed
    assert index.decide("Googlebot", "/").allowed
    assert index.decide("Googlebot", "/2026/10/a-post").allowed
    assert index.decide("Googlebot", "/old/9").allowed


def test_comments_go_before_any_rule() -> None:
    own = "# a comment\n" * 42_500 + "User-agent: *\nAllow: /a/b\nDisallow: /a/\n"
    fitted = fitted_robots_txt(NO_AI, None, own)
    assert b"Allow: /a/b\n" in fitted.body
    assert b"Disallow: /a/\n" in fitted.body
    assert b"# a comment" not in fitted.body
    assert "comments" in fitted.cut


def test_refusals_in_signal_lines_are_kept() -> None:
    rules = "".join(f"Disallow: /{number:x}\n" for number in range(33_000))
    own = f"User-agent: *\nContent-Usage: /art/ train-ai=n\nContent-Signal: ai-input=no, search=yes\n{rules}"
    body = fitted_robots_txt(
        SitePolicy(sitemaps=("https://blog.example/s.xml",)), None, own + rules[:9000]
    ).body
    group = GroupIndex.from_robots(RobotsTxt.parse(body)).bound("SomeBot")
    signals = [str(record) for record in group.content.signals]
    assert "Content-Usage: train-ai=n" in signals or "Content-Usage: /art/ train-ai=n" in signals
    assert any("ai-input=no" in line for line in signals)


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_escape_is_never_cut_in_two_nor_an_anchor_made(cut: int) -> None:
    from aipolicy.robotstxt.shortened_rules import ShortenedRules

    patterns = ["/caf%C3%A9/x$y/*$z", "/*$a", "*%41%42", "/$$$", "/a$b$"]
    robots = RobotsTxt.parse("User-agent: *\n" + "".join(f"Disallow: {one}\n" for one in patterns))
    short = ShortenedRules(robots).shortened(cut)
    before, after = GroupIndex.from_robots(robots), GroupIndex.from_robots(short)
    for path in ("/café/x$y/b$z", "/b$a", "/AB", "/$$$", "/a$b", "/ab", "/x/AB"):
        if not before.decide("SomeBot", path).allowed:
            assert not after.decide("SomeBot", path).allowed


def test_merging_a_cut_file_again_changes_nothing() -> None:
    once = fitted_robots_txt(NO_AI, None, LARGE["one group of as many rules as fit"]).body
    assert fitted_robots_txt(NO_AI, None, once).body == once


@pytest.mark.parametrize(
    "name", ["150 tokens, each in half of 120 groups", "one long line", "unreadable lines", "sitemaps"]
)
def test_headers_are_never_lost_for_a_large_robots_txt(name: str) -> None:
    policy = replace(NO_AI, robots_base=LARGE[name].decode("utf-8", "surrogateescape"))
    rendering = render(policy)
    assert rendering.site.headers == headers_of(policy, policy.effective, Signals())
    assert len(rendering.robots.body) <= MAX_ROBOTS_BYTES
    assert rendering.closed_to(crawler_named("GPTBot"), "/x")  # type: ignore[arg-type]


def test_the_error_for_an_owner_names_bytes_and_fix() -> None:
    with pytest.raises(RobotsTooLargeError, match=r"blog\.example has \d{6} bytes.*512000; shorten"):
        robots_txt(NO_AI, None, LARGE["one group of as many rules as fit"])
    with pytest.raises(RobotsTooLargeError, match=r"has more than 1024000 bytes.*512000; shorten"):
        robots_txt(NO_AI, None, LARGE["150 tokens, each in half of 120 groups"])


@pytest.mark.parametrize("kind", ["8,000 paths", "8,000 wildcards", "8,000 wildcards of single letters"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path[:12]}-{len(path)}")
def test_a_request_is_not_compared_with_every_pattern(
    kind: str, path: str, rendered: Callable[[str], object]
) -> None:
    rendering = rendered(kind)
    crawler = crawler_named("GPTBot")
    for ask in (lambda: rendering.headers_at(path), lambda: rendering.closed_to(crawler, path)):  # type: ignore[attr-defined]
        assert calls(ask)[1] < 3 * 8_192 + 4_000


@pytest.fixture(scope="module")
def rendered() -> Callable[[str], object]:
    made: dict[str, object] = {}

    def of(kind: str) -> object:
        if kind not in made:
            made[kind] = render(POLICIES[kind])
        return made[kind]

    return of


def test_a_path_that_is_too_long_to_match_gets_the_most_restrictive_of_the_sites_headers() -> None:
    policy = SitePolicy(path_preferences=(("/art/", NO), ("/press/", YES)))
    rendering = render(policy)
    long = "/x/" + "a" * 9000
    assert rendering.headers_at(long).preferences == NO
    assert rendering.closed_to(crawler_named("GPTBot"), long)  # type: ignore[arg-type]
    assert rendering.headers_at("/x/a") is rendering.site
