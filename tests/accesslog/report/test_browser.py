"""The HTML report in a real browser."""

import re

import pytest

from aipolicy.accesslog.report import html
from tests.accesslog.report.pages import Page
from tests.accesslog.report.samples import HOSTILE, VERDICTS, by, hostile, many, sample
from tests.accesslog.report.test_page import TEXT_ONLY
from tests.chromium import Browser

pytestmark = pytest.mark.slow


def test_hostile_text_asks_for_nothing_and_stays_text(browser: Browser) -> None:
    trap = f"{browser.url}/trap"
    seen = browser.open(html(hostile(trap)))
    assert seen.console == []
    assert seen.asked == []
    report = Page(seen.document)
    assert {element.tag for element in report.elements} <= TEXT_ONLY
    assert not [name for element in report.elements for name in element.attributes if name.startswith("on")]
    texts = {element.text for element in report.all("bdi")}
    assert set(HOSTILE[:6]) | {trap, f'"><img src="{trap}"><style>@import "{trap}"</style>'} <= texts


def test_every_kind_of_report_opens_without_a_complaint(browser: Browser) -> None:
    for document in (sample(), sample(many(60), days=120), sample(by=by("site", ("a.example",)))):
        seen = browser.open(html(document))
        assert (seen.console, seen.asked) == ([], [])


def test_the_page_s_own_policy_stops_what_would_get_in(browser: Browser) -> None:
    """The harness sees a violation, and the policy is in force."""
    page = html(sample(("GPTBot",)))
    trap = f"{browser.url}/trap"
    broken = page.replace(
        "<main>", f'<main><p style="color: red"></p><img src="{trap}"><script>fetch("{trap}")</script>'
    )
    seen = browser.open(broken)
    assert len(seen.console) == 3
    assert all("Content Security Policy" in line for line in seen.console)
    assert seen.asked == []
    without = broken.replace("Content-Security-Policy", "X-Nothing")
    assert "/trap" in browser.open(without).asked


@pytest.mark.parametrize("window", [390, 800, 1000, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, window: int) -> None:
    huge = sample(many(3), by=by("site", ("a.example",)))
    for counters in (huge["total"], *huge["crawlers"], *huge["by"]["rows"]):
        counters |= dict.fromkeys(("fetches", *VERDICTS), 123_456_789)
    for document in (sample(many(20), days=120), hostile(), huge):
        assert browser.width(html(document), window) <= window


def test_it_prints(browser: Browser) -> None:
    pages = re.findall(rb"/Type\s*/Page\b", browser.print(html(sample())))
    assert 4 <= len(pages) <= 20
