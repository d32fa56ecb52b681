"""Pages sent with status 200 in place of a site's own: challenges, errors, parked domains.

Their headers and tags are those of a firewall or a hosting provider, so the site's own signals are unknown.
Each mark is one that a site's own page doesn't have; a title alone counts only if the page is small.
"""

import re
from html import unescape

from aipolicy.report.text import shorten
from aipolicy.siteaudit.observation import FetchResult

_READ = 64 * 1024  # bytes that are searched
_SMALL = 24 * 1024  # bytes of a page that is recognised by its title
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{0,300})</title", re.IGNORECASE)

_HEADERS = (
    ("cf-mitigated", "challenge", "Cloudflare's challenge"),
    ("x-amzn-waf-action", "", "AWS WAF's challenge"),
    ("x-vercel-mitigated", "", "Vercel's challenge"),
    ("sg-captcha", "", "SiteGround's captcha"),
)
_OWN = ("content-usage", "tdm-reservation", "x-robots-tag")
_MARKS = (
    (b"_cf_chl_opt", "Cloudflare's challenge"),
    (b"/.well-known/sgcaptcha/", "SiteGround's captcha"),
    (b"awswafcookiedomainlist", "AWS WAF's challenge"),
    (b"request unsuccessful. incapsula incident id", "Imperva's block page"),
    (b"sucuri_cloudproxy_js", "Sucuri's challenge"),
    (b"check.ddos-guard.net", "DDoS-Guard's challenge"),
    (b'id="anubis_challenge"', "Anubis's challenge"),
    (b"geo.captcha-delivery.com", "DataDome's captcha"),
    (b'id="px-captcha"', "HUMAN's captcha"),
    (b"errors.edgesuite.net", "Akamai's block page"),
    (b"sedoparking.com", "a parked domain's page"),
    (b"parkingcrew.net", "a parked domain's page"),
    (b"img1.wsimg.com/parking-lander", "a parked domain's page"),
)
_CHALLENGES = re.compile(
    r"(just a moment|attention required|one moment, please|checking your browser|security check"
    r"|are you a robot|verify(ing)? (that )?you are (a )?human|robot or human|pardon our interruption"
    r"|making sure you.re not a bot|ddos-guard|sucuri website firewall|vercel security checkpoint"
    r"|access (to this page has been )?denied|request rejected|captcha)[ .!?\u2026]*([|\u2013-] .{1,40})?\Z",
    re.IGNORECASE,
)
_ERRORS = re.compile(
    r"((error )?(40[0-9]|410|429|50[0-9]|52[0-9])([ :\u2013-]+(forbidden|not found|error|bad gateway|gone"
    r"|unauthorized|service (temporarily )?unavailable|internal server error|gateway time-?out"
    r"|too many requests).{0,30})?"
    r"|(page |site )?not found|bad gateway|service unavailable|internal server error|gateway time-?out"
    r"|(account|site|website) (has been )?(suspended|disabled))[ .!]*([|\u2013-] .{1,40})?\Z",
    re.IGNORECASE,
)
_PARKED = re.compile(
    r"(this )?domain (name )?(is |may be )?(parked|for sale)|[^ ]+\.[^ ]+ (is|may be) for sale", re.IGNORECASE
)


def interstitial(answer: FetchResult) -> str:
    """Return the kind of page that replaces the site's own (``Cloudflare's challenge``), or ""."""
    if not answer.ok or not answer.is_html:
        return ""
    for name, value, kind in _HEADERS:
        if any(value in sent.lower() for sent in answer.values(name)):
            return kind
    if any(answer.values(name) for name in _OWN):
        return ""  # with these headers it is the site's own page, whatever its text
    body = answer.body[:_READ]
    lower = body.lower()
    for mark, kind in _MARKS:
        if mark in lower and len(answer.body) <= _READ:
            return kind
    found = _TITLE.search(body)
    if found is None or len(answer.body) > _SMALL or b"<article" in lower:
        return ""
    title = unescape(found[1].decode("utf-8", "replace")).strip(" \t\r\n")
    kinds = (
        (_CHALLENGES, "a challenge or a block page"),
        (_ERRORS, "an error page"),
        (_PARKED, "a parked domain's page"),
    )
    return next(
        (f"{kind}, titled {shorten(title, 60)!r}" for pattern, kind in kinds if pattern.match(title)), ""
    )
