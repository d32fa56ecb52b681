"""What one client gets and another doesn't: as grave as what is lost, and a difference from the policy."""

from aipolicy.analysis.findings import Severity
from aipolicy.check.site.judging import judge
from aipolicy.check.site.observation import Views
from tests.check.site.looking import OPTED_OUT, opted_out, page, robots
from tests.check.site.servers import HEADERS
from tests.check.site.test_kinds import GOOD, OK, OPEN, all_found

USAGE = "Content-Usage"


def test_a_client_that_gets_other_signals_than_the_policy_is_a_difference() -> None:
    flipped = page(*HEADERS[:1], (USAGE, "train-ai=y"), *HEADERS[2:])
    views = Views(OK, browser=flipped, crawlers=(("GPTBot", flipped), ("CCBot", OK)))
    (one,) = [
        one for one in judge(opted_out(page_=views), expectation=OPTED_OUT).findings if one.is_difference
    ]
    assert (one.id, one.where) == ("header-differs", "header Content-Usage, to a browser, GPTBot")


def test_a_client_that_gets_another_robots_txt_than_the_policys_is_a_difference() -> None:
    views = Views(GOOD, browser=GOOD, crawlers=(("GPTBot", robots(OPEN)),))
    (one,) = [
        one for one in judge(opted_out(robots_txt=views), expectation=OPTED_OUT).findings if one.is_difference
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


def test_what_every_client_gets_alike_is_told_once() -> None:
    bare = Views(page(), browser=page(), crawlers=(("GPTBot", page()),))
    found = judge(opted_out(page_=bare), expectation=OPTED_OUT).findings
    assert [one.id for one in found] == ["header-missing"] * 3
