"""Differences between the responses to several clients."""

import pytest

from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.findings import SiteFinding
from aipolicy.siteaudit.observation import FetchResult, Views
from tests.siteaudit.observations import OPTED_OUT, observe, opted_out, page, robots
from tests.siteaudit.servers import HEADERS
from tests.siteaudit.test_finding_kinds import GOOD, OK, OPEN, ROBOTS, all_found

Header = tuple[str, str]
USAGE, TAGS, RESERVED = "Content-Usage", "X-Robots-Tag", "tdm-reservation"


def findings_by_client(us: list[Header], them: list[Header]) -> list[SiteFinding]:
    views = Views(page(*us), browser=page(*us), crawlers=(("GPTBot", page(*them)),))
    report = audit(observe(page_=views))
    return [one for one in report.findings if one.id == "page-differs-by-client"]


@pytest.mark.parametrize(
    ("us", "them"),
    [
        ([(USAGE, "train-ai=n")], [(USAGE, "train-ai=y")]),
        ([(USAGE, "train-ai=n, ai-use=n")], [(USAGE, "train-ai=n")]),
        ([(RESERVED, "1")], [(RESERVED, "0")]),
        ([(TAGS, "noai, noimageai")], [(TAGS, "noimageai")]),
        ([(TAGS, "none")], [(TAGS, "nofollow")]),
        # Who reads one signal may read no other.
        ([(TAGS, "noai"), (USAGE, "train-ai=n")], [(TAGS, "noai"), (RESERVED, "1")]),
    ],
)
def test_a_refusal_that_one_client_does_not_receive_is_an_error(us: list[Header], them: list[Header]) -> None:
    (one,) = findings_by_client(us, them)
    assert one.severity is Severity.ERROR
    assert "GPTBot receives" in one.found


@pytest.mark.parametrize(
    ("us", "them"),
    [
        ([(USAGE, "train-ai=y")], [(USAGE, "train-ai=n")]),
        ([(USAGE, "search=y")], []),
        ([(TAGS, "noai")], [(TAGS, "noai, noindex")]),
    ],
)
def test_a_client_that_receives_more_refusals_is_a_warning(us: list[Header], them: list[Header]) -> None:
    (one,) = findings_by_client(us, them)
    assert one.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("us", "them"),
    [
        ([(USAGE, "train-ai=n, search=y")], [(USAGE, "search=y"), (USAGE, "train-ai=n;x=1")]),
        ([(TAGS, "none, max-snippet:0")], [(TAGS, "nofollow, noindex"), (TAGS, "nosnippet")]),
        ([(RESERVED, "2")], []),
    ],
)
def test_other_spellings_of_signals_are_no_difference(us: list[Header], them: list[Header]) -> None:
    assert findings_by_client(us, them) == []


def test_a_client_that_loses_a_refusal_is_reported_even_if_another_merely_differs() -> None:
    views = Views(
        page((USAGE, "train-ai=n")), page(), page((USAGE, "train-ai=n, ai-use=n")), (("GPTBot", page()),)
    )
    found = [one for one in audit(observe(page_=views)).findings if one.id == "page-differs-by-client"]
    assert [(one.severity, one.found.partition(" receives")[0]) for one in found] == [
        (Severity.ERROR, "GPTBot"),
        (Severity.WARNING, "a browser"),
    ]


def test_signals_that_differ_from_the_policy_for_one_client_are_a_difference() -> None:
    flipped = page(*HEADERS[:1], (USAGE, "train-ai=y"), *HEADERS[2:])
    views = Views(OK, browser=flipped, crawlers=(("GPTBot", flipped), ("CCBot", OK)))
    (one,) = [
        one for one in audit(opted_out(page_=views), expectation=OPTED_OUT).findings if one.is_difference
    ]
    assert (one.id, one.where) == ("header-differs", "header Content-Usage, to a browser, GPTBot")


def test_a_robots_txt_that_differs_from_the_policy_for_one_client_is_a_difference() -> None:
    views = Views(GOOD, browser=GOOD, crawlers=(("GPTBot", robots(OPEN)),))
    (one,) = [
        one for one in audit(opted_out(robots_txt=views), expectation=OPTED_OUT).findings if one.is_difference
    ]
    assert (one.id, one.where) == ("robots-differs", "robots.txt, to GPTBot")


def test_a_header_that_refuses_more_and_grants_nothing_more_is_stricter_than_the_policys() -> None:
    for usage, severity in (
        ("train-ai=n, ai-use=n", Severity.WARNING),
        ("train-ai=n, ai-use=y", Severity.ERROR),
        ("ai-use=n", Severity.ERROR),
    ):
        one = opted_out(page_=page(*HEADERS[:1], (USAGE, usage), *HEADERS[2:]))
        assert all_found(one, OPTED_OUT)["header-differs"].severity is severity, usage


def test_a_difference_for_every_client_is_reported_once() -> None:
    bare = Views(page(), browser=page(), crawlers=(("GPTBot", page()),))
    found = audit(opted_out(page_=bare), expectation=OPTED_OUT).findings
    assert [one.id for one in found] == ["header-missing"] * 3


def past_caches(plain: FetchResult, fresh: FetchResult, again: FetchResult | None) -> list[str]:
    found = all_found(observe(page_=Views(plain, fresh=fresh, again=again)))
    return [kind for kind in found if kind in ("page-stale-copy", "page-differs-by-query")]


NOINDEX = page(*HEADERS, (TAGS, "noindex"))
NOINDEX_TAG = page(*HEADERS, body='<html><head><meta name="robots" content="none"></head></html>')


@pytest.mark.parametrize("fresh", [NOINDEX, NOINDEX_TAG])
def test_noindex_for_a_url_with_a_query_is_a_usual_setting_and_no_stale_copy(fresh: FetchResult) -> None:
    assert past_caches(OK, fresh, None) == []


@pytest.mark.parametrize(
    ("plain", "again", "kind"),
    [
        (page(), OK, "page-stale-copy"),  # the cache let go of it
        (page(), page(("Age", "60")), "page-stale-copy"),  # it doesn't
        (page(), page(("X-Cache", "HIT from edge")), "page-stale-copy"),
        (page(("CF-Cache-Status", "HIT")), None, "page-stale-copy"),
        (page(), page(), "page-differs-by-query"),
        (page(), page(("Age", "0"), ("X-Cache", "MISS"), ("Via", "1.1 varnish")), "page-differs-by-query"),
        (page(("Age", "60")), page(), "page-differs-by-query"),  # the cache asked, and it is still so
        (page(), None, "page-differs-by-query"),
        (page(), page(status=503), "page-differs-by-query"),
    ],
)
def test_a_copy_is_stale_only_if_a_cache_is_known_to_keep_it(
    plain: FetchResult, again: FetchResult | None, kind: str
) -> None:
    assert past_caches(plain, OK, again) == [kind]


def test_a_file_too_large_to_compare_is_reported_and_an_error_with_an_expected_policy() -> None:
    large = robots(ROBOTS + b"#" * 300_001)
    views = Views(
        robots(ROBOTS), browser=robots(ROBOTS + b"#"), crawlers=(("GPTBot", large), ("CCBot", large))
    )
    assert all_found(opted_out(robots_txt=views)) == all_found(opted_out()), (
        "each as large as can be compared"
    )
    views = Views(large, browser=robots(ROBOTS + b"#" * 300_002))
    assert all_found(opted_out(robots_txt=views))["robots-not-compared"].severity is Severity.WARNING
    views = Views(GOOD, browser=large, crawlers=(("GPTBot", robots(ROBOTS + b"#" * 300_002)),))
    report = audit(opted_out(robots_txt=views), expectation=OPTED_OUT)
    assert report.findings[0].id == "robots-not-compared"
    assert report.findings[0].severity is Severity.ERROR
