"""The HTML report in a real browser."""

import re

import pytest

from aipolicy.accesslog.report import html
from tests.accesslog.report.pages import Page
from tests.accesslog.report.samples import HOSTILE, VERDICTS, by, hostile, many, sample
from tests.accesslog.report.test_page import TEXT_ONLY
from tests.chromium import Browser

pytestmark = pytest.mark.slow


def test_hostile_text_makes_no_requests_and_stays_text(browser: Browser) -> None:
    trap = f"{browser.url}/trap"
    loaded = browser.open(html(hostile(trap)))
    assert loaded.console == []
    assert loaded.requests == []
    report = Page(loaded.document)
    assert {element.tag for element in report.elements} <= TEXT_ONLY
    assert not [name for element in report.elements for name in element.attributes if name.startswith("on")]
    texts = {element.text for element in report.all("bdi")}
    assert set(HOSTILE[:6]) | {trap, f'"><img src="{trap}"><style>@import "{trap}"</style>'} <= texts


def test_every_kind_of_report_opens_without_errors(browser: Browser) -> None:
    for document in (sample(), sample(many(60), days=120), sample(by=by("site", ("a.example",)))):
        loaded = browser.open(html(document))
        assert (loaded.console, loaded.requests) == ([], [])


def test_the_content_security_policy_blocks_injected_content(browser: Browser) -> None:
    """Also checks that the test would see a violation."""
    page = html(sample(("GPTBot",)))
    trap = f"{browser.url}/trap"
    broken = page.replace(
        "<main>", f'<main><p style="color: red"></p><img src="{trap}"><script>fetch("{trap}")</script>'
    )
    loaded = browser.open(broken)
    assert len(loaded.console) == 3
    assert all("Content Security Policy" in line for line in loaded.console)
    assert loaded.requests == []
    without = broken.replace("Content-Security-Policy", "X-Nothing")
    assert "/trap" in browser.open(without).requests


@pytest.mark.parametrize("window", [390, 800, 1000, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, window: int) -> None:
    huge = sample(many(3), by=by("site", ("a.example",)))
    for counters in (huge["total"], *huge["crawlers"], *huge["by"]["rows"]):
        counters |= dict.fromkeys(("fetches", *VERDICTS), 123_456_789)
    for document in (sample(many(20), days=120), hostile(), huge):
        assert browser.width(html(document), window) <= window


def test_the_page_can_be_printed(browser: Browser) -> None:
    pages = re.findall(rb"/Type\s*/Page\b", browser.print(html(sample())))
    assert 4 <= len(pages) <= 20
