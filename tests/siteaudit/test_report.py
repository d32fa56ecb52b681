"""The reports: complete, bounded in size, and safe against hostile text."""

import io
import json
from collections.abc import Iterable
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from aipolicy.cli.check.site import Totals
from aipolicy.siteaudit.audit import audit, failed_audit
from aipolicy.siteaudit.document import site_document
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.report import ReportInfo, full, html, schema, total_line
from aipolicy.siteaudit.report.page import IN_DETAIL
from tests.accesslog.report.pages import Page
from tests.chromium import Browser
from tests.siteaudit.observations import OPTED_OUT, Document, answer, observe, opted_out, page, robots
from tests.siteaudit.servers import PAGE

HOSTILE = (
    "</title><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\x1b[31m\u202e{{7*7}}"
)


def document(observation: Observation) -> Document:
    return json.loads(json.dumps(site_document(audit(observation, expectation=OPTED_OUT))))  # type: ignore[no-any-return]


def report(documents: Iterable[Document]) -> str:
    sites = list(documents)
    totals = Totals()
    for one in sites:
        totals.add(one)
    about = ReportInfo("0.1", "2026-11-25T10:00:00Z", "--expect no-training", totals)
    return "".join(html(about, lambda: iter(sites)))


def printed(site: Document, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(full(site))
    return file.getvalue()


def test_a_terminal_of_eighty_columns_cuts_no_line_number() -> None:
    table = (
        printed(document(opted_out()), 80).partition("Crawlers ")[2].partition("  header Content-Usage  ")[0]
    )
    assert table.count("robots.txt") == table.count("robots.txt:") > 10


def test_further_findings_of_a_kind_are_counted_on_the_terminal() -> None:
    lines = "".join(f"User-agent: b{'x' * n}\nDisallow: p{n}\n\n" for n in range(30))
    assert "and 10 more of path-without-slash" in printed(document(observe(robots_txt=robots(lines))), 80)


def test_a_source_that_disagrees_is_marked() -> None:
    one = document(opted_out(page_=page(("Content-Usage", "train-ai=y"), ("tdm-reservation", "1"))))
    for text in (printed(one, 200), report([one])):
        assert "header Content-Usage (says yes)" in text
        assert "header tdm-reservation (says" not in text
        assert "robots.txt:39 (says" not in text


def failed(*, url: str) -> Document:
    one = failed_audit(observe(url=url), OPTED_OUT, ValueError("a fault of ours"))
    return json.loads(json.dumps(site_document(one)))  # type: ignore[no-any-return]


def hostile() -> Document:
    return document(
        observe(
            robots_txt=robots(f"User-agent: {HOSTILE}\nDisallow: {HOSTILE}\nContent-Signal: {HOSTILE}\n"),
            page_=page(
                ("X-Robots-Tag", HOSTILE),
                ("tdm-reservation", HOSTILE),
                body=f'<html><meta name="robots" content="{HOSTILE}">',
            ),
            tdmrep=answer("/.well-known/tdmrep.json", HOSTILE),
            url=f"https://blog.example/{HOSTILE}",
        )
    )


def test_a_bug_in_aipolicy_is_not_reported_as_a_fault_of_the_site() -> None:
    one = failed(url="https://blog.example/post")
    jsonschema.validate(one, {**schema(), "required": [], "$ref": "#/$defs/site", "properties": {}})
    assert (one["audited"], one["page"]["bytes"], one["page"]["status"]) == (False, len(PAGE), 200)
    assert (one["robots_txt"]["caching"]["text"], one["licences"], one["crawlers"]) == ("", [], [])
    assert "The site could not be checked." in report([one])
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(full(one))
    text = console.export_text()
    assert "could not be checked" in text
    assert f"200, text/html, {len(PAGE)} bytes" in text
    assert "May fetch the page" not in text
    assert "caches may keep it" not in text


def test_sites_that_could_not_be_checked_are_counted_separately() -> None:
    bad, good = failed(url="https://blog.example/bad"), document(opted_out())
    assert "1 of 2 sites could not be checked." in report([bad, good])
    assert "No site could be checked." in report([bad, bad])
    wrong = report([bad, document(opted_out(page_=page()))])
    assert "1 of 2 sites differs from its policy." in wrong
    assert "<dt>Could not be checked</dt><dd>1</dd>" in wrong
    totals = Totals()
    totals.add(bad)
    totals.add(good)
    assert total_line(totals.document()) == "2 sites, 1 without findings, 1 that could not be checked"


def test_the_page_is_self_contained_and_has_the_findings() -> None:
    one = document(opted_out(page_=page()))
    text = report([one])
    Page(text)  # every element is closed in its place
    assert text.startswith("<!doctype html>")
    assert "The site differs from its policy." in text
    assert "header-missing" in text
    assert "src=" not in text
    assert "<script" not in text


def test_text_of_a_site_never_becomes_markup() -> None:
    text = report([hostile()])
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text
    assert "{{7*7}}" in text, "and is no template"


def test_a_consistent_site_is_reported_as_such() -> None:
    assert "No problems were found on the site." in report([document(opted_out())])


def test_sites_with_findings_are_shown_in_full_first() -> None:
    clean, broken = document(opted_out()), document(opted_out(page_=page()))
    sites: list[dict[str, Any]] = [
        {**clean, "url": f"https://clean{n}.example/"} for n in range(IN_DETAIL + 5)
    ]
    sites.append({**broken, "url": "https://broken.example/"})
    text = report(sites)
    assert text.count('<section class="site"') == IN_DETAIL
    assert "https://broken.example/</bdi></h2>" in text
    assert text.count("no problems found</td>") == IN_DETAIL + 5
    assert f"of {len(sites)} sites are shown in full" in text


@pytest.mark.slow
def test_the_page_makes_no_requests_and_has_no_errors_in_a_browser(browser: Browser) -> None:
    seen_page = browser.open(report([hostile(), document(opted_out(page_=page()))]))
    assert seen_page.console == []
    assert seen_page.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("window", [390, 1200])
def test_the_page_is_never_wider_than_the_window(browser: Browser, window: int) -> None:
    text = report([hostile(), document(opted_out(page_=page())), document(observe())])
    assert browser.width(text, window) <= window
