"""Signals in pages that their readers can or can't parse."""

from typing import Any

import pytest

from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit import observation
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.findings import SiteFinding
from aipolicy.siteaudit.html_signals import Markup, read_html
from aipolicy.siteaudit.observation import Views
from aipolicy.siteaudit.signal_summary import differs_past_caches
from tests.effort import calls
from tests.siteaudit.observations import OPTED_OUT, answer, observe, page
from tests.siteaudit.servers import PAGE

XHTML = (("Content-Type", "application/xhtml+xml"),)


def about(kind: str, name: str, *lines: str) -> list[SiteFinding]:
    """Return the findings and notes of that kind for a page with these headers."""
    report = audit(observe(page_=page(*((name, line) for line in lines))))
    return [one for one in (*report.findings, *report.notes) if one.id.startswith(kind)]


@pytest.mark.parametrize(
    "lines",
    [
        ["train-ai=n"],
        ["train-ai=n, ai-use=n, search=y"],
        [""],  # an empty Dictionary
        ["train-ai=n;x=1, foo=(a b);q=1"],
        ["train-ai=n", "train-ai=n"],
        ["train-ai=n", "search=y"],
        ["train-ai=y, train-ai=n"],  # the strictest is the last
        ['train-ai=n, foo="train-ai=n, train-ai=y"'],
        [r'train-ai=n, foo="\", train-ai=y", bar=%"\"'],
    ],
)
def test_rfc9651_valid_content_usage_has_no_finding(
    lines: list[str],
) -> None:
    assert about("content-usage-unreadable", "Content-Usage", *lines) == []
    assert about("content-usage-repeated", "Content-Usage", *lines) == []


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        (["train-ai=n, train-ai=y"], "train-ai=y"),
        (["train-ai=n", "train-ai=y"], "train-ai=y"),
        (["train-ai=n, ai-use=n", "ai-use=y"], "train-ai=n, ai-use=y"),
        (['train-ai=n, foo="a, b", train-ai=y'], "train-ai=y"),
        (["train-ai=n, train-ai=no"], "nothing"),
    ],
)
def test_rfc9651_4_2_2_a_no_that_a_later_member_replaces_is_lost_and_an_error(
    lines: list[str], counts: str
) -> None:
    (one,) = about("content-usage-repeated", "Content-Usage", *lines)
    assert one.severity is Severity.ERROR
    assert f"{counts} counts" in one.found
    assert "train-ai=n" in one.fix


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("train-ai=n, ai-use=no", ["ai-use"]),
        ('train-ai="n", search=N', ["train-ai", "search"]),
        ("train-ai", ["train-ai"]),
        ("train-ai=?0", ["train-ai"]),
        ("train-ai=(n)", ["train-ai"]),
    ],
)
def test_aipref_vocab_6_5_a_known_label_with_another_value_is_an_error_of_its_own(
    line: str, labels: list[str]
) -> None:
    found = about("content-usage-unreadable", "Content-Usage", line)
    assert [one.found.partition(" ")[0] for one in found] == labels
    assert all(one.severity is Severity.ERROR for one in found)


@pytest.mark.parametrize("line", ["train-ai=n,", "Train-AI=n", "train-ai = n", "train-ai=n ai-use=n"])
def test_a_statement_that_is_no_dictionary_is_unreadable(line: str) -> None:
    (one,) = about("content-usage", "Content-Usage", line)
    assert one.id == "content-usage-unreadable"
    assert line in one.found


@pytest.mark.parametrize(
    ("lines", "fix"),
    [
        (["Train-AI=n"], "Content-Usage: train-ai=n"),
        (["Train-AI=y"], "Content-Usage: train-ai=y"),
        (["Search=n"], "Content-Usage: search=n"),
        (["train-ai=n ai-use=yes"], "Content-Usage: train-ai=n, ai-use=y"),
        (["train-ai = y", "train-ai=n"], "Content-Usage: train-ai=n"),
        (["train-ai=maybe, search=Y,"], "Content-Usage: search=y"),
        (["NO"], "Content-Usage: train-ai=n"),
        (["é"], ""),
        (["Yes"], ""),
        (["train-ai=yes"], "train-ai=y"),
        (["train-ai=?0"], "train-ai=n"),
        (["train-ai"], "train-ai=n or train-ai=y"),
        (["train-ai=y, train-ai=no"], "Content-Usage: train-ai=n"),
    ],
)
def test_a_fix_is_the_owners_meaning_or_empty_if_unknown(lines: list[str], fix: str) -> None:
    (one,) = about("content-usage", "Content-Usage", *lines)
    assert one.fix == fix


def test_a_value_replaced_by_an_invalid_one_is_reported_once_and_quoted_without_the_headers_name() -> None:
    (one,) = about("content-usage", "Content-Usage", "train-ai=n, train-ai=no")
    assert (one.id, one.found) == (
        "content-usage-repeated",
        "of 'train-ai=n, train-ai=no' nothing counts",
    )


def test_aipref_vocab_6_5_unknown_labels_are_valid_and_noted() -> None:
    (one,) = about("content-usage", "Content-Usage", "bots=n, train_ai=n, ai-use=n")
    assert (one.id, one.severity) == ("content-usage-unknown-label", Severity.NOTE)
    assert "bots, train_ai" in one.found


@pytest.mark.parametrize(
    "lines",
    [
        ["noai, noimageai"],
        ["max-image-preview:large", "noai, noimageai"],
        ["unavailable_after: 25 Jun 2010 15:00:00 PST", "noai, noimageai"],
        ["noindex, max-snippet:0"],
        ["googlebot: nofollow", "noai"],
        ["noai, max-snippet:0", "noai"],
    ],
)
def test_a_noai_on_any_line_without_a_colon_is_read(lines: list[str]) -> None:
    assert about("noai-unread", "X-Robots-Tag", *lines) == []


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (["all", "noai, max-snippet:0"], "header X-Robots-Tag line 2"),
        (["noai, noimageai, bingbot: noarchive", "googlebot: nofollow"], "header X-Robots-Tag line 1"),
        (["max-snippet:0, noai"], "header X-Robots-Tag"),
        (["NoAI, NoImageAI"], "header X-Robots-Tag"),
        (["nofollow", "NoAI"], "header X-Robots-Tag line 2"),
    ],
)
def test_a_noai_that_one_of_its_readers_misses_on_every_line_is_named(lines: list[str], where: str) -> None:
    (one,) = about("noai-unread", "X-Robots-Tag", *lines)
    assert one.where == where


def test_a_page_is_parsed_once_however_many_views_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def counting(body: bytes, *args: Any, **kwargs: Any) -> Markup:
        parsed.append(body)
        return read_html(body, *args, **kwargs)

    monkeypatch.setattr(observation, "read_html", counting)
    pages = [page(body=f"<title>{number}</title>") for number in range(5)]
    plain, fresh, browser, crawlers, again = pages
    views = Views(plain, fresh, browser, (("GPTBot", crawlers),), again)
    differs_past_caches(views)
    audit(observe(page_=views), expectation=OPTED_OUT)
    assert parsed
    assert len(parsed) == len(set(parsed))


def test_a_page_that_repeats_itself_ten_thousand_times_is_judged_in_time() -> None:
    signals = [f'<meta name="content-signal" content="ai-train={said}">' for said in ("yes", "no")]
    for body in ("".join(signals) * 5000, "<meta name=robots content=no>" * 10_000):
        _, count = calls(lambda body=body: audit(observe(page_=page(body=body))))  # type: ignore[misc]
        assert count < 3_000_000, count


def test_xhtml_that_is_not_well_formed_and_a_page_that_is_too_long_are_distinguished() -> None:
    long, broken = page(body=PAGE + "x" * 600_000), answer("/", PAGE + "<br>", headers=XHTML)
    told = [
        one.found
        for answered in (long, broken)
        for one in audit(observe(page_=answered)).notes
        if one.id == "page-partly-read"
    ]
    assert told == [
        "the page is longer than 512 KiB",
        "the page is sent as XHTML, but isn't well-formed",
    ]
