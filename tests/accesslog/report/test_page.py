"""The source of the HTML report; ``test_browser`` renders it."""

import base64
import hashlib
import re
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from aipolicy.accesslog import report as log_report
from aipolicy.accesslog.report import html
from aipolicy.errors import MissingExtraError
from tests.accesslog.report.pages import Page
from tests.accesslog.report.samples import HOSTILE, OWN, by, hostile, many, sample, without_crawlers

URL = "http://tracker.invalid/x"
TEXT_ONLY = {
    "a", "b", "bdi", "body", "caption", "circle", "code", "dd", "desc", "div", "dl", "dt", "figcaption",
    "figure", "g", "h1", "h2", "h3", "head", "header", "html", "li", "line", "main", "meta", "nav", "p",
    "rect", "section", "span", "style", "svg", "table", "tbody", "td", "text", "th", "thead", "time", "title",
    "tr", "ul", "wbr",
}  # fmt: skip
DOCUMENTS = {
    "usual": sample(),
    "one": sample(("GPTBot",)),
    "many": sample(many(60), days=120),
    "without crawlers": without_crawlers(),
    "by": sample(by=by("site", ("a.example", None), left_out=2)),
    "hostile": hostile(URL),
}


@pytest.fixture(params=DOCUMENTS)
def report(request: pytest.FixtureRequest) -> Page:
    return Page(html(DOCUMENTS[request.param]))


def test_a_page_has_no_active_content_and_no_requests(report: Page) -> None:
    assert {element.tag for element in report.elements} <= TEXT_ONLY
    names = {name for element in report.elements for name in element.attributes}
    assert not [name for name in names if name.startswith("on") or name in {"style", "src", "xlink:href"}]
    links = [element.attributes["href"] for element in report.all("a")]
    assert all(re.fullmatch(r"#[a-z]+(-\d+)?", link) for link in links)
    assert not re.search(r"url\(|@import|image-set|src:", report.one("style").text)


def test_every_link_has_a_target_and_every_id_is_unique(report: Page) -> None:
    ids = [element.attributes["id"] for element in report.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    named = [element.attributes["href"][1:] for element in report.all("a")]
    for element in report.elements:
        named += element.attributes.get("aria-labelledby", "").split()
    assert set(named) <= set(ids)


def test_the_content_security_policy_allows_only_the_stylesheet(report: Page) -> None:
    (policy,) = [
        element.attributes["content"]
        for element in report.all("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(report.one("style").text.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    before = [element.attributes.get("http-equiv") for element in report.elements if element.tag != "style"]
    assert before.index("Content-Security-Policy") == 3  # html, head, meta charset


def test_a_page_is_structured_for_screen_readers(report: Page) -> None:
    assert report.one("html").attributes["lang"] == "en"
    levels = [int(element.tag[1]) for element in report.all("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(report.all("caption")) == len(report.all("table"))
    assert all("scope" in heading.attributes for heading in report.all("th"))
    for chart in report.all("svg"):
        assert chart.attributes.get("aria-hidden") == "true" or chart.attributes["role"] == "img"
    assert "width=device-width" in str([element.attributes for element in report.all("meta")])


def test_the_headline_comes_first_and_the_method_last() -> None:
    report = Page(html(sample(by=by("day", ("2026-11-01",)))))
    headings = [element.text for element in report.all("h1", "h2")]
    assert headings[0].startswith("Between 1 and 14 November 2026, 12,889 fetches by 5 crawlers were ")
    assert headings[1:] == [
        "Key figures", "Over time", "All crawlers", "Unknown crawlers", "By day", "Crawler by crawler",
        "Unreadable lines", "Notes", "Method and limits",
    ]  # fmt: skip


def test_impostors_are_not_among_the_fetches_that_may_be_the_crawlers_own() -> None:
    document = sample(("GPTBot",))
    crawler = document["crawlers"][0]
    text = " ".join(Page(html(document)).one("body").text.split())
    own = crawler["fetches"] - crawler["identity"]["spoofed"]
    assert f"{crawler['disallowed']:,} disallowed fetches of {own:,} fetches that may be its own" in text
    crawler["identity"]["spoofed"] = 0
    text = " ".join(Page(html(document)).one("body").text.split())
    assert f"{crawler['disallowed']:,} disallowed fetches of {crawler['fetches']:,} fetches. By" in text


def test_a_list_of_evidence_that_is_not_complete_says_where_the_rest_is() -> None:
    document = sample(("GPTBot",))
    crawler = document["crawlers"][0]
    others = "The others: <code>--evidence FILE</code>, or <code>--top 0</code>"
    assert html(document).count(others) == 2
    shown = len(crawler["examples"])
    crawler |= {"disallowed": shown, "disallowed_by_identity": dict.fromkeys(OWN, 0) | {"verified": shown}}
    assert html(document).count(others) == 1  # those of impostors


def test_each_crawler_has_its_row_its_section_and_its_chart() -> None:
    document = sample()
    report = Page(html(document))
    tokens = [crawler["product_token"] for crawler in document["crawlers"]]
    rows = [
        element.text.split()[0] for element in report.all("th") if element.attributes.get("scope") == "row"
    ]
    assert rows == [*tokens, "Total"]
    assert [element.text.split()[0] for element in report.all("h3")][: len(tokens)] == tokens
    charts = [
        element.text
        for element in report.all("title")
        if "svg" in element.parents and "g" not in element.parents
    ]
    assert [title.split(":")[0] for title in charts] == ["All crawlers"] * 2 + tokens


def test_one_crawler_has_one_chart_in_two_widths() -> None:
    charts = [e for e in Page(html(sample(("GPTBot",)))).all("svg") if e.attributes.get("role") == "img"]
    assert [chart.attributes["viewbox"].split()[2] for chart in charts] == ["1000", "320"]


def test_evidence_is_complete() -> None:
    document = sample(("GPTBot",))
    text = Page(html(document)).text
    for example in document["crawlers"][0]["examples"]:
        assert f"{example['file']}:{example['line']}" in text
        for part in ("site", "path", "rule", "policy", "address", "user_agent", "sha256"):
            assert example[part] in text
        assert example["time"].replace("T", " ").removesuffix("Z") in text
        assert f"answered with status {example['status']}" in text
        assert f"(line {example['rule_line']})" in text


def test_missing_parts_of_evidence_are_stated() -> None:
    document = sample(("GPTBot",))
    absent = dict.fromkeys(("site", "rule", "rule_line", "policy", "status", "address", "user_agent"))
    document["crawlers"][0]["examples"] = [document["crawlers"][0]["examples"][0] | absent]
    text = Page(html(document)).text
    for words in ("unknown site", "no rule", "unknown status", "no address", "no User-Agent"):
        assert words in text


def test_hostile_text_is_text() -> None:
    report = Page(html(hostile(URL)))
    texts = [element.text for element in report.all("bdi")]
    for text in (
        "/<script>alert(1)</script>",
        '/" onload="alert(1)',
        "javascript:alert(4)",
        "/{{ 7 * 7 }}{% raw %}",
        URL,
    ):
        assert texts.count(text) > 5
    assert r"/\x1b[31mred\x1b[0m\x00\x9b31m\x0d\x0a\x09" in texts
    assert r"/\u202egnp.exe\u2066\u200b" in texts
    assert f"/{'a' * 599}… (cut; 3,001 characters in all)" in texts
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", report.source)
    report.source.encode()  # lone surrogates could not be written


def test_text_from_other_sources_than_logs_is_escaped() -> None:
    document = sample(("GPTBot",))
    document["crawlers"][0] |= dict.fromkeys(("product_token", "operator", "purpose"), HOSTILE[0] + "\u202e")
    document["days"] = [row | {"product_token": HOSTILE[0] + "\u202e"} for row in document["days"]]
    document |= {"aipolicy": HOSTILE[1], "made": f"{HOSTILE[1]}T00:00:00Z"}
    document["method"] |= {"policies": HOSTILE[0], "crawler_table": HOSTILE[1]}
    report = Page(html(document))
    assert {element.tag for element in report.elements} <= TEXT_ONLY
    assert not [name for element in report.elements for name in element.attributes if name.startswith("on")]
    assert "\u202e" not in report.source


def test_the_method_lists_its_sources() -> None:
    document = sample()
    text = Page(html(document)).text
    method = document["method"]
    for words in (
        method["policies"],
        "24 hours",
        "2026-11-23",
        "31 lists, the oldest of 2026-09-02",
        "not used",
    ):
        assert words in text
    masked = sample()
    masked["method"] |= {"dns": True, "addresses_masked": True, "grace_hours": 0.5}
    text = Page(html(masked)).text
    for words in ("0.5 hours", "confirmed in both directions", "masked in this report"):
        assert words in text


def test_grey_and_red_are_readable_in_both_themes() -> None:
    style = Page(html(without_crawlers())).one("style").text
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]+);", part)) for part in re.findall(r":root \{([^}]+)\}", style)
    )
    for theme in (light, dark):
        for ink in ("ink", "quiet", "red", "link"):
            assert contrast(theme[ink], theme["paper"]) >= 4.5  # WCAG 2.2, 1.4.3
        for mark in ("bar", "red"):
            assert contrast(theme[mark], theme["paper"]) >= 3  # 1.4.11


def contrast(first: str, second: str) -> float:
    """Return WCAG's contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_without_jinja2_the_error_has_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    log_report._template.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'asgi-aipolicy[check]'")):
        html(without_crawlers())


def test_jinja2_is_loaded_for_a_page_only() -> None:
    code = "import sys; import aipolicy.accesslog.report; print('jinja2' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


def test_the_same_document_gives_the_same_bytes() -> None:
    document: dict[str, Any] = sample()
    assert html(document) == html(document)
