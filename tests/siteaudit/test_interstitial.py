"""Pages that replace a site's own, sites without signals, and refused addresses."""

import pytest

from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.errors import FetchTrouble
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.expectation import Expectation, PolicyVersion
from aipolicy.siteaudit.interstitial import interstitial
from tests.cli.conftest import Run, aipolicy  # noqa: F401 - a fixture
from tests.siteaudit.observations import OPTED_OUT, answer, found, observe, opted_out, page, robots
from tests.siteaudit.servers import HEADERS

STAND_INS = {
    "cloudflare": page(
        ("cf-mitigated", "challenge"),
        body="<title>Just a moment...</title><script>window._cf_chl_opt={}</script>",
    ),
    "cloudflare-by-its-mark": page(body="<title>Un instant</title><script>window._cf_chl_opt={}</script>"),
    "cloudflare-by-its-title": page(body="<html><head><title>Attention Required! | Cloudflare</title>"),
    "siteground": page(body='<meta http-equiv="refresh" content="0;/.well-known/sgcaptcha/?r=%2F">'),
    "imperva": page(body="<html><body>Request unsuccessful. Incapsula incident ID: 1-2</body></html>"),
    "aws": page(("x-amzn-waf-action", "challenge"), body="<html></html>"),
    "datadome": page(body="<html><script src='https://geo.captcha-delivery.com/c.js'></script>"),
    "anubis": page(body="<html><title>Making sure you&#39;re not a bot!</title>"),
    "captcha": page(body="<html><title>Verify you are human</title><form>"),
    "soft-404": page(body="<html><title>404 Not Found</title><h1>Not Found</h1>"),
    "soft-503": page(body="<html><title>503 Service Temporarily Unavailable</title>"),
    "suspended": page(body="<html><title>Account Suspended</title>"),
    "parked": page(body="<html><title>blog.example is for sale</title>"),
    "parking": page(body="<script src='https://www.sedoparking.com/frmpark/x'></script>"),
}
OWN = {
    "a-page": page(),
    "a-post-about-it": page(body="<title>Just a moment... why Cloudflare asks</title><article>x</article>"),
    "a-post-about-errors": page(body="<title>404 pages that I love</title><p>x"),
    "a-post-about-captchas": page(body="<title>Captcha fatigue</title><p>x"),
    "a-post-that-shows-the-code": page(*HEADERS, body="<title>x</title><pre>window._cf_chl_opt</pre>"),
    "a-large-page": page(body="<title>Access denied</title>" + "<p>a post</p>" * 3000),
    "an-error": page(body="<title>404 Not Found</title>", status=404),
    "no-page": answer("/2026/post", trouble=FetchTrouble.TIMEOUT),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_a_replacement_page_is_distinguished_from_a_site_without_headers(name: str) -> None:
    assert interstitial(STAND_INS[name])
    observation = opted_out(page_=STAND_INS[name])
    kinds = found(observation, OPTED_OUT)
    assert {"not-the-sites-page", "headers-unknown"} <= set(kinds)
    assert not {"header-missing", "no-signals"} & set(kinds)


@pytest.mark.parametrize("name", OWN)
def test_a_sites_own_page_is_not_an_interstitial(name: str) -> None:
    assert interstitial(OWN[name]) == ""


def test_a_challenge_instead_of_robots_txt_is_reported_too() -> None:
    challenge = robots("<html><title>Just a moment...</title>", ("Content-Type", "text/html"))
    (finding,) = [f for f in audit(opted_out(robots_txt=challenge)).findings if f.id == "not-the-sites-page"]
    assert finding.where == "robots.txt"


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in ("unset", "allow")])
def test_a_site_without_signals_has_one_finding(preset: Preset) -> None:
    expectation = Expectation("--expect", PolicyVersion(SitePolicy.from_preset(preset)))
    report = audit(observe(), expectation=expectation)
    differences = [one for one in report.findings if one.is_difference]
    assert [one.id for one in differences] == ["no-signals"]
    assert differences[0].severity is Severity.ERROR
    for signal in ("robots.txt", "X-Robots-Tag", "Content-Usage", "tdm-reservation", "tdmrep.json"):
        assert signal in differences[0].found


@pytest.mark.parametrize(
    "observation",
    [
        observe(page_=page(("tdm-reservation", "1"))),
        observe(robots_txt=robots("User-agent: GPTBot\nDisallow: /\n")),
        observe(robots_txt=robots("User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n")),
    ],
)
def test_a_site_with_some_signals_has_a_finding_for_each_missing_one(observation: object) -> None:
    kinds = found(observation, OPTED_OUT)  # type: ignore[arg-type]
    assert "no-signals" not in kinds
    assert "header-missing" in kinds


def test_a_refused_loopback_address_names_the_option(aipolicy: Run) -> None:  # noqa: F811
    for url in ("http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/"):
        done = aipolicy("check", "site", url)
        assert "--allow-private" in done.stdout + done.stderr, url
