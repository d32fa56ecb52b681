"""Findings of an audit, by the source of a statement, its readers and the policy."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import FetchTrouble
from aipolicy.rendering import render
from aipolicy.robotstxt.findings import KINDS as LINT_KINDS
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.declarations import ai_txt_statements, declared
from aipolicy.siteaudit.expectation import Expectation, PolicyVersion
from aipolicy.siteaudit.findings import KINDS
from aipolicy.siteaudit.observation import Views
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.robots_access import fetch_of
from aipolicy.siteaudit.statements import Signal
from tests.siteaudit.observations import HTML, OPTED_OUT, answer, observe, opted_out, page, robots
from tests.siteaudit.servers import PAGE
from tests.siteaudit.test_finding_kinds import (
    DIFFERING,
    GOOD,
    MANAGED,
    OK,
    ROBOTS,
    WITHOUT_TAGS,
    all_found,
    redirected,
    refused,
    rendered,
    tdm,
    undecoded,
)


def test_the_sites_own_rules_are_no_difference() -> None:
    own = "User-agent: *\nDisallow: /admin/\n\nUser-agent: SomeBot\nDisallow: /\n"
    policy = SitePolicy.from_preset("no-training")
    merged = render(replace(policy, robots_base=own)).robots.body
    assert audit(opted_out(robots_txt=robots(merged)), expectation=OPTED_OUT).findings == ()


def test_rules_that_a_cdn_adds_are_a_difference() -> None:
    one = opted_out(robots_txt=robots(MANAGED + ROBOTS))
    assert "Googlebot" in all_found(one, OPTED_OUT)["robots-differs"].found


def test_an_earlier_policy_is_named_with_its_change_and_time() -> None:
    build, expectation = DIFFERING["earlier-policy"]
    found = [one for one in audit(build(), expectation=expectation).findings if one.id == "earlier-policy"]
    assert {one.where for one in found} == {"robots.txt", "header"}
    for one in found:
        assert "no-training (change 1, 2026-11-01 00:00:00 UTC)" in one.found
        assert "no-ai (change 2, 2026-11-02 00:00:00 UTC)" in one.found


def test_missing_headers_are_not_attributed_to_an_earlier_policy() -> None:
    before = (PolicyVersion(SitePolicy(), 1, datetime(2026, 11, 1, tzinfo=UTC)),)
    expectation = Expectation("x", PolicyVersion(SitePolicy.from_preset("no-training"), 2), earlier=before)
    found = all_found(opted_out(page_=page()), expectation)
    assert "header-missing" in found
    assert "earlier-policy" not in found


def test_a_signal_that_only_the_pages_tags_carry_is_a_warning() -> None:
    tags = "".join(
        f'<meta name="{name}" content="{value}">' for name, value in (("robots", "noai, noimageai"),)
    )
    one = opted_out(page_=page(*WITHOUT_TAGS, body=PAGE.replace("<title>", f"{tags}<title>")))
    assert all_found(one, OPTED_OUT)["header-missing"].severity is Severity.WARNING


def test_a_page_that_is_stricter_than_the_policy_is_a_warning() -> None:
    build, expectation = DIFFERING["header-differs"]
    assert all_found(build(), expectation)["header-differs"].severity is Severity.WARNING


def test_a_query_that_is_rejected_and_a_refusal_of_aipolicy_alone_prove_nothing() -> None:
    minding = Views(GOOD, fresh=refused("/robots.txt?x", 404))
    assert audit(opted_out(robots_txt=minding)).findings == ()
    unlike_us = Views(refused("/robots.txt"), browser=GOOD, crawlers=(("GPTBot", GOOD),))
    assert audit(opted_out(robots_txt=unlike_us)).findings == ()


def test_a_crawler_that_robots_txt_shuts_out_may_be_refused_the_page() -> None:
    one = opted_out(page_=Views(OK, crawlers=(("GPTBot", refused("/")),)))
    assert audit(one).findings == ()


def test_a_request_that_timed_out_is_no_refusal() -> None:
    away = answer("/", trouble=FetchTrouble.OVERTIME)
    views = {"robots_txt": Views(GOOD, crawlers=(("GPTBot", away),)), "page_": Views(OK, browser=away)}
    assert audit(opted_out(**views)).findings == ()


def test_rfc9309_2_3_1_an_unreadable_robots_txt_has_no_rules() -> None:
    nowhere = replace(GOOD, status=302, body=b"", trouble=FetchTrouble.URL, reason="it redirects to no URL")
    for one in (undecoded(GOOD), nowhere):
        found = all_found(opted_out(robots_txt=one))
        assert "robots-unreachable" not in found
        assert found["robots-unreadable"].found == f"{one.status}, but {one.reason}"
        assert fetch_of(ParsedSite(opted_out(robots_txt=one)), "GPTBot").allowed
    unfinished = replace(GOOD, body=b"", trouble=FetchTrouble.TIMEOUT, reason="no complete response in time")
    assert "robots-unreachable" in all_found(opted_out(robots_txt=unfinished))


def test_headers_are_compared_although_the_body_can_not_be_read() -> None:
    assert not any(one.is_difference for one in all_found(opted_out(page_=undecoded(OK)), OPTED_OUT).values())
    assert "header-missing" in all_found(opted_out(page_=undecoded(page(*WITHOUT_TAGS))), OPTED_OUT)


def test_the_signals_are_those_of_the_target_of_a_redirect() -> None:
    there = redirected(page(), "https://blog.example/en/post")
    own = "User-agent: *\nAllow: /\nContent-Usage: /en/ train-ai=n\n"
    entries = tdm('[{"location": "/en/", "tdm-reservation": 1}]')
    site = ParsedSite(observe(robots_txt=robots(own), page_=there, tdmrep=entries))
    assert site.path == "/en/post"
    assert {s.signal for s in declared(site, "GPTBot")} == {Signal.AIPREF, Signal.TDMREP}
    found = all_found(site.observation)["page-redirected"]
    assert found.found == "the page redirects: /2026/post -> /en/post"


def test_a_page_may_be_fetched_only_if_every_redirect_to_it_may() -> None:
    there = redirected(page(), "https://blog.example/hop", "https://blog.example/en/post")
    for path in ("/2026/", "/hop", "/en/"):
        fetch = fetch_of(
            ParsedSite(observe(robots_txt=robots(f"User-agent: *\nDisallow: {path}\n"), page_=there)), "X"
        )
        assert not fetch.allowed
        assert fetch.location is not None
        assert fetch.location.line == 2
    back = redirected(page(), "https://blog.example/hop", "https://blog.example/2026/post")
    assert ParsedSite(observe(page_=back)).paths == ("/hop", "/2026/post")


def test_the_path_of_another_host_is_looked_up_only_in_a_robots_txt_of_that_host() -> None:
    there = redirected(page(), "https://www.blog.example/en/post")
    assert ParsedSite(observe(page_=there)).paths == ("/2026/post",)
    file = redirected(robots("User-agent: *\nDisallow: /en/\n"), "https://www.blog.example/robots.txt")
    assert not fetch_of(ParsedSite(observe(robots_txt=file, page_=there)), "X").allowed


def test_a_robots_txt_with_the_content_type_of_html_is_reported() -> None:
    as_page = replace(GOOD, headers=HTML)
    assert "robots-content-type" in all_found(opted_out(robots_txt=as_page))
    soft_404 = replace(as_page, body=b"\xef\xbb\xbf<!-- cached --><!DOCTYPE html><p>Not found")
    assert "robots-content-type" not in all_found(opted_out(robots_txt=soft_404))


def test_an_ai_txt_sent_as_a_page_is_read() -> None:
    rules = answer("/ai.txt", "User-agent: *\nDisallow: /\n", headers=HTML)
    assert ai_txt_statements(ParsedSite(observe(ai_txt=rules)), "GPTBot")
    soft_404 = replace(rules, body=b"<html>\nUser-agent: *\nDisallow: /\n")
    assert not ai_txt_statements(ParsedSite(observe(ai_txt=soft_404)), "GPTBot")


def test_the_linters_findings_are_the_sites_with_their_own_names() -> None:
    assert not set(KINDS) & set(LINT_KINDS)
    one = all_found(observe(robots_txt=robots("User-agent: GPTBot\nDisallow: private\n")))
    assert one["path-without-slash"].where == "robots.txt line 2"


def test_lint_findings_that_the_policy_causes_are_notes() -> None:
    private = SitePolicy(visibility="private")
    one = rendered(private, Signals())
    assert "everyone-blocked" in {found.id for found in audit(one).findings}
    assert audit(one, expectation=Expectation("x", PolicyVersion(private))).findings == ()


@pytest.mark.parametrize(
    "body",
    [
        '[{"location": "/", "tdm-reservation": "1"}]',
        '[{"tdm-reservation": 1}]',
        '["/"]',
        '{"location": "/", "tdm-reservation": 1}',
    ],
)
def test_an_invalid_reservation_is_an_error_whatever_is_wrong_with_it(body: str) -> None:
    (one,) = audit(observe(tdmrep=tdm(body))).findings
    assert one.severity is Severity.ERROR


def test_an_invalid_reservation_is_also_found_if_it_is_sent_as_a_page() -> None:
    body = '{"location": "/", "tdm-reservation": 1}'
    (one,) = audit(observe(tdmrep=answer("/.well-known/tdmrep.json", body, headers=HTML))).findings
    assert one.id == "tdmrep-unreadable"
    (one,) = audit(observe(tdmrep=answer("/.well-known/tdmrep.json", "\ufeff" + body, headers=HTML))).findings
    assert one.id == "tdmrep-unreadable"
    missing = answer("/.well-known/tdmrep.json", "No such page.", headers=HTML)
    assert audit(observe(tdmrep=missing)).findings == ()


def test_a_file_that_can_not_be_decoded_is_reported_and_a_page_in_its_place_is_not() -> None:
    for headers, expected in (((), ["tdmrep-unreadable", "ai-txt-unreadable"]), (HTML, [])):
        tdmrep = undecoded(answer("/.well-known/tdmrep.json", headers=headers))
        ai_txt = undecoded(answer("/ai.txt", headers=headers))
        found = audit(observe(tdmrep=tdmrep, ai_txt=ai_txt)).findings
        assert sorted(one.id for one in found) == sorted(expected)
        assert all("Content-Encoding is 'br'" in one.found for one in found)


def test_findings_of_one_kind_are_counted_past_the_first_twenty() -> None:
    lines = "".join(f"User-agent: b{'x' * n}\nDisallow: p{n}\n\n" for n in range(30))
    report = audit(observe(robots_txt=robots(lines)))
    assert report.omitted["path-without-slash"] == 10
    assert sum(one.id == "path-without-slash" for one in report.findings) == 20


def test_quoted_text_of_a_site_is_escaped_and_cut() -> None:
    evil = "\x1b]0;owned\x07\u202e" + "x" * 5000
    one = observe(
        robots_txt=robots(f"User-agent: {evil}\nDisallow: {evil}\nContent-Signal: {evil}\n", ("Age", evil)),
        page_=page(("X-Robots-Tag", evil), ("tdm-reservation", evil), ("Content-Usage", evil)),
        tdmrep=tdm(f'[{{"location": "{"x" * 5000}"}}]'),
    )
    report = audit(one, expectation=OPTED_OUT)
    for found in (*report.findings, *report.notes):
        for text in (found.where, found.found, found.effect, found.fix.replace("\n", "")):
            assert text.isprintable()
            assert len(text) < 4000
