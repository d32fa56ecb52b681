"""Every kind of finding: a site with the fault has it, and the same site without the fault has none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import FetchTrouble
from aipolicy.rendering import render
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.expectation import Expectation, PolicyVersion
from aipolicy.siteaudit.findings import DIFFERENCES, KINDS, SiteFinding
from aipolicy.siteaudit.observation import FetchResult, Observation, Views
from aipolicy.web.response import Hop
from tests.siteaudit.observations import OPTED_OUT, TDMREP, answer, observe, opted_out, page, robots
from tests.siteaudit.servers import HEADERS, NO_TRAINING, PAGE

ROBOTS = NO_TRAINING.robots.body
OPEN = "User-agent: *\nAllow: /\n"
TEXT = (("Content-Type", "text/plain"),)
GOOD, OK = robots(ROBOTS), page(*HEADERS)
WITHOUT_TAGS = tuple(header for header in HEADERS if header[0] != "X-Robots-Tag")
LICENCE = "https://blog.example/licence.xml"
MANAGED = (
    b"# BEGIN Cloudflare Managed Content\nUser-agent: Googlebot\nDisallow: /\n"
    b"# END Cloudflare managed content\n\n"
)


def refused(path: str, status: int = 403) -> FetchResult:
    return answer(path, "go away", status=status)


def redirected(one: FetchResult, *urls: str) -> FetchResult:
    hops = tuple(Hop(url, 301, urls[0]) for url in urls[:-1])
    return replace(one, url=urls[-1], hops=(Hop(one.asked, 301, urls[0]), *hops))


def tdm(body: str) -> FetchResult:
    return answer("/.well-known/tdmrep.json", body)


def with_tag(content: str, name: str) -> FetchResult:
    return page(*HEADERS, body=PAGE.replace("<title>", f'<meta name="{name}" content="{content}"><title>'))


def undecoded(one: FetchResult) -> FetchResult:
    return replace(one, body=b"", trouble=FetchTrouble.CODING, reason="Content-Encoding is 'br'")


SEEN: dict[str, Callable[[], Observation]] = {
    "unreachable": lambda: observe(
        robots_txt=answer("/robots.txt", trouble=FetchTrouble.DNS), page_=answer(trouble=FetchTrouble.DNS)
    ),
    "not-the-sites-page": lambda: opted_out(page_=page(body="<title>Just a moment...</title>")),
    "robots-refused": lambda: opted_out(robots_txt=robots("", status=401)),
    "robots-rate-limited": lambda: opted_out(robots_txt=robots("", status=429)),
    "robots-unreachable": lambda: opted_out(robots_txt=answer("/robots.txt", trouble=FetchTrouble.TIMEOUT)),
    "robots-redirects": lambda: opted_out(robots_txt=answer("/robots.txt", trouble=FetchTrouble.REDIRECTS)),
    "robots-unreadable": lambda: opted_out(robots_txt=undecoded(GOOD)),
    "robots-refused-to-crawlers": lambda: opted_out(
        robots_txt=Views(GOOD, crawlers=(("GPTBot", refused("/robots.txt")),))
    ),
    "robots-differs-by-client": lambda: opted_out(robots_txt=Views(GOOD, browser=robots(OPEN))),
    "robots-stale-copy": lambda: opted_out(robots_txt=Views(robots(OPEN, ("Age", "60")), fresh=GOOD)),
    "page-stale-copy": lambda: opted_out(page_=Views(page(), fresh=OK, again=OK)),
    "signals-contradict": lambda: opted_out(page_=page(*HEADERS, ("Content-Signal", "ai-train=yes"))),
    "content-usage-unreadable": lambda: opted_out(page_=page(("Content-Usage", "Train-AI=n"))),
    "tdm-reservation-unreadable": lambda: opted_out(page_=page(*HEADERS, ("tdm-reservation", "1"))),
    "tdmrep-unreadable": lambda: opted_out(tdmrep=tdm('{"location": "/"}')),
    "robots-missing": lambda: opted_out(robots_txt=robots("", status=410)),
    "robots-content-type": lambda: opted_out(
        robots_txt=replace(GOOD, headers=(("Content-Type", "application/x-robots"),))
    ),
    "robots-on-another-host": lambda: opted_out(
        robots_txt=redirected(GOOD, "https://cdn.example/robots.txt")
    ),
    "robots-cached-long": lambda: opted_out(robots_txt=robots(ROBOTS, ("Cache-Control", "s-maxage=90000"))),
    "robots-old-copy": lambda: opted_out(robots_txt=robots(ROBOTS, ("Age", "90000"))),
    "robots-not-compared": lambda: opted_out(
        robots_txt=Views(robots(ROBOTS + b"#" * 300_000), browser=robots(ROBOTS + b"#" * 300_001))
    ),
    "cdn-adds-rules": lambda: opted_out(robots_txt=robots(MANAGED + ROBOTS)),
    "page-refused-to-crawlers": lambda: opted_out(
        page_=Views(OK, crawlers=(("OAI-SearchBot", refused("/")),))
    ),
    "page-differs-by-client": lambda: opted_out(page_=Views(OK, crawlers=(("OAI-SearchBot", page()),))),
    "page-refused": lambda: opted_out(page_=page(*HEADERS, status=404)),
    "page-unreachable": lambda: opted_out(page_=answer("/2026/post", trouble=FetchTrouble.TIMEOUT)),
    "page-unreadable": lambda: opted_out(page_=undecoded(OK)),
    "page-on-another-host": lambda: opted_out(page_=redirected(OK, "https://www.blog.example/2026/post")),
    "opt-out-not-in-robots": lambda: opted_out(robots_txt=robots(OPEN)),
    "grant-to-the-shut-out": lambda: observe(robots_txt=GOOD, page_=page(("Content-Usage", "train-ai=y"))),
    "content-usage-repeated": lambda: opted_out(page_=page(*HEADERS, ("Content-Usage", "train-ai=y"))),
    "content-usage-unknown-label": lambda: opted_out(page_=page(*HEADERS, ("Content-Usage", "train_ai=n"))),
    "noai-unread": lambda: opted_out(page_=page(*WITHOUT_TAGS, ("X-Robots-Tag", "max-snippet:0, noai"))),
    "noarchive-with-nocache": lambda: opted_out(
        page_=page(*HEADERS, ("X-Robots-Tag", "noarchive"), ("X-Robots-Tag", "nocache"))
    ),
    "tdmrep-entry-unreadable": lambda: opted_out(tdmrep=tdm('[{"location": "/", "tdm-reservation": true}]')),
    "ai-txt-unreadable": lambda: opted_out(ai_txt=undecoded(answer("/ai.txt", headers=TEXT))),
    "tdmrep-entry-never-decides": lambda: opted_out(
        tdmrep=tdm('[{"location": "/", "tdm-reservation": 1}, {"location": "/open/", "tdm-reservation": 0}]')
    ),
    "licence-not-absolute": lambda: opted_out(robots_txt=robots(b"License: /licence.xml\n" + ROBOTS)),
    "licences-differ": lambda: opted_out(
        robots_txt=robots(
            b"License: https://blog.example/a.xml\nLicense: https://blog.example/b.xml\n" + ROBOTS
        )
    ),
    "robots-absent": lambda: observe(robots_txt=robots("", status=404)),
    "robots-redirected": lambda: opted_out(
        robots_txt=redirected(GOOD, "https://www.blog.example/robots.txt")
    ),
    "page-differs-by-query": lambda: opted_out(page_=Views(OK, fresh=page())),
    "page-redirected": lambda: opted_out(page_=redirected(OK, "https://blog.example/en/post")),
    "content-signal-in-page": lambda: opted_out(page_=with_tag("ai-train=no", "content-signal")),
    "rules-for-named-crawlers": lambda: opted_out(page_=page(*HEADERS, ("X-Robots-Tag", "GPTBot: noai"))),
    "page-partly-read": lambda: opted_out(page_=page(*HEADERS, body=PAGE + "x" * 600_000)),
}
ALL_SIGNALS = Signals(ai_txt=True, rsl=True)
LICENSED = SitePolicy.from_preset(
    "no-training", license_url=LICENCE, sitemaps=["https://blog.example/sitemap.xml"]
)
DIFFERING: dict[str, tuple[Callable[[], Observation], Expectation]] = {
    "unknown-site": (opted_out, Expectation("the registry", None)),
    "earlier-policy": (
        opted_out,
        Expectation(
            "the registry",
            PolicyVersion(SitePolicy.from_preset("no-ai"), 2, datetime(2026, 11, 2, tzinfo=UTC)),
            earlier=(
                PolicyVersion(SitePolicy.from_preset("no-training"), 1, datetime(2026, 11, 1, tzinfo=UTC)),
            ),
        ),
    ),
    "robots-differs": (
        lambda: opted_out(robots_txt=robots(ROBOTS.replace(b"User-agent: CCBot\n", b""))),
        OPTED_OUT,
    ),
    "headers-unknown": (
        lambda: opted_out(page_=answer("/2026/post", trouble=FetchTrouble.TIMEOUT)),
        OPTED_OUT,
    ),
    "no-signals": (observe, OPTED_OUT),
    "header-missing": (lambda: opted_out(page_=page(*WITHOUT_TAGS)), OPTED_OUT),
    "header-differs": (
        lambda: opted_out(page_=page(*HEADERS[:1], ("Content-Usage", "train-ai=n, ai-use=n"), *HEADERS[2:])),
        OPTED_OUT,
    ),
    "header-added": (opted_out, Expectation("--expect unset", PolicyVersion(SitePolicy()))),
    "tdmrep-missing": (lambda: opted_out(tdmrep=tdm("<!doctype html>not found")), OPTED_OUT),
    "tdmrep-differs": (
        lambda: opted_out(tdmrep=tdm('[{"location": "/a", "tdm-reservation": 1}]')),
        OPTED_OUT,
    ),
    "tdmrep-added": (
        lambda: observe(tdmrep=TDMREP),
        Expectation("--expect unset", PolicyVersion(SitePolicy())),
    ),
    "ai-txt-missing": (opted_out, Expectation("x", PolicyVersion(LICENSED), ALL_SIGNALS)),
    "licence-missing": (opted_out, Expectation("x", PolicyVersion(LICENSED), ALL_SIGNALS)),
    "sitemap-missing": (opted_out, Expectation("x", PolicyVersion(LICENSED), ALL_SIGNALS)),
}


def all_found(observation: Observation, expectation: Expectation | None = None) -> dict[str, SiteFinding]:
    report = audit(observation, expectation=expectation)
    return {one.id: one for one in (*report.notes, *report.findings)}


@pytest.mark.parametrize("kind", SEEN)
def test_faults_are_found(kind: str) -> None:
    assert kind in all_found(SEEN[kind]())


@pytest.mark.parametrize("kind", DIFFERING)
def test_differences_from_the_policy_are_found(kind: str) -> None:
    build, expectation = DIFFERING[kind]
    found = all_found(build(), expectation)
    assert kind in found
    assert found[kind].is_difference


def test_every_kind_has_a_case() -> None:
    of_our_own = {"not-judged"}  # a fault here, which no site can be relied on to lead to
    assert set(SEEN) | set(DIFFERING) | of_our_own == set(KINDS)
    assert set(DIFFERING) == DIFFERENCES


def test_a_correct_site_has_no_findings() -> None:
    for expectation in (None, OPTED_OUT):
        assert audit(opted_out(), expectation=expectation).findings == ()
    assert audit(observe(), expectation=Expectation("x", PolicyVersion(SitePolicy()))).findings == ()
    assert audit(observe()).findings == ()


@pytest.mark.parametrize(
    "fields", [{"preset": "no-ai"}, {"preset": "allow"}, {"visibility": "private"}], ids=str
)
def test_every_rendered_policy_has_no_findings(fields: dict[str, Any]) -> None:
    policy = SitePolicy.from_preset(fields.pop("preset", "unset"), **fields)
    one = rendered(policy, Signals())
    assert audit(one, expectation=Expectation("x", PolicyVersion(policy))).findings == ()


def test_every_rendered_switch_has_no_findings() -> None:
    policy = SitePolicy.from_preset(
        "no-ai",
        license_url=LICENCE,
        tdm_policy_url="https://blog.example/policy",
        sitemaps=["https://blog.example/sitemap.xml"],
        path_preferences={},
    )
    signals = Signals(noarchive=True, nosnippet=True, ai_txt=True, rsl=True, tdm_policy=True)
    one = rendered(policy, signals)
    assert audit(one, expectation=Expectation("x", PolicyVersion(policy), signals)).findings == ()


def test_paths_with_preferences_of_their_own_are_compared_where_the_page_is() -> None:
    policy = SitePolicy.from_dict(
        {"preset": "no-training", "path_preferences": {"/2026/": {"train-ai": "allow"}}}
    )
    one = rendered(policy, Signals())
    assert "header-missing" not in all_found(one, Expectation("x", PolicyVersion(policy)))
    elsewhere = replace(one, url="https://blog.example/2025/post")
    assert "header-missing" in all_found(elsewhere, Expectation("x", PolicyVersion(policy)))


def rendered(policy: SitePolicy, signals: Signals) -> Observation:
    """Return a site that sends what the policy says, at /2026/post."""
    made = render(policy, signals)
    headers = tuple((n.decode(), v.decode()) for n, v in made.headers_at("/2026/post").headers)
    missing = answer("/x", status=404)
    return observe(
        robots_txt=robots(made.robots.body),
        page_=page(*headers),
        tdmrep=answer("/.well-known/tdmrep.json", made.tdmrep.body) if made.tdmrep else missing,
        ai_txt=answer("/ai.txt", made.ai_txt.body) if made.ai_txt else missing,
    )
