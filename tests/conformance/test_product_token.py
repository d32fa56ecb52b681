"""The candidate names in a User-Agent, and the one that a crawler obeys."""

from functools import partial

import pytest

from aipolicy.conformance import ClauseVerdict, ConformanceRun, clauses_named
from aipolicy.conformance.clauses.product_token import candidate_tokens, only_name
from aipolicy.conformance.report import document
from tests.conformance.crawler import Crawler
from tests.conformance.crawls import not_obeyed, try_all

BROWSER = "AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36"
LINUX, MAC = "(X11; Linux x86_64)", "(Macintosh; Intel Mac OS X 10_15_5)"


@pytest.mark.parametrize(
    ("user_agent", "names"),
    [
        ("Wget/1.21.3", ("Wget",)),
        ("Scrapy/2.19.0 (+https://scrapy.org)", ("Scrapy",)),
        (
            "Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)",
            ("HTTrack", "Mozilla", "compatible", "Windows"),
        ),
        ("W3C-checklink/5.0 libwww-perl/6.68", ("W3C-checklink", "libwww-perl")),
        ("Bot/1.0.0.dev0", ("Bot",)),
        ("", ()),
        ("1.0 (2; 3)", ()),
    ],
)
def test_candidates_are_valid_product_tokens(user_agent: str, names: tuple[str, ...]) -> None:
    assert candidate_tokens(user_agent) == names


def test_the_number_of_candidates_is_bounded() -> None:
    assert len(candidate_tokens(" ".join(f"Name{number}/1" for number in range(1000)))) == 8


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Scrapy/2.19.0 (+https://scrapy.org)", "Scrapy"),
        ("TestCrawler/1.0 (a test)", "TestCrawler"),
        ("MyBot", "MyBot"),
        (f"Mozilla/5.0 {BROWSER} (compatible; GPTBot/1.2; +https://openai.com/gptbot)", "GPTBot"),
        (f"Mozilla/5.0 {MAC} {BROWSER} (Applebot/0.1; +http://www.apple.com/go/applebot)", "Applebot"),
        ("MyBot/1.0 (mybot.example/about) mybot/1.0", "MyBot"),
        (f"Mozilla/5.0 {LINUX} {BROWSER}", ""),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", ""),
        ("Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36", ""),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", ""),
        ("W3C-checklink/5.0 libwww-perl/6.68", ""),  # either
        ("", ""),
    ],
)
def test_the_only_name_is_not_that_of_a_browser_or_system(user_agent: str, name: str) -> None:
    assert only_name(user_agent) == name


def learned_by(agent: str) -> ConformanceRun:
    make = partial(Crawler, agent=agent)
    return try_all({"": make}, clauses_named(("own-name", "own-group", "star-group")), token="")[""]


def test_a_browsers_user_agent_has_no_product_token() -> None:
    trial = learned_by(f"Mozilla/5.0 {LINUX} {BROWSER}")
    assert not_obeyed(trial) == dict.fromkeys(("own-name", "own-group"), ClauseVerdict.NOT_TESTED)
    assert all("--token" in result.finding.reason for result in trial.results[:2])
    report = document(trial, ())
    assert (report["product_token"], report["product_token_from"]) == (None, None)


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("TestCrawler/1.0", "TestCrawler"),  # tried with the name that it has for pages, it answers
        ("OtherCrawler/1.0", ""),  # it answers to neither: nobody knows which is its own
    ],
)
def test_a_library_that_reads_robots_txt_is_not_the_product_token(agent: str, token: str) -> None:
    make = partial(Crawler, agent=agent, reads_as="Python-urllib/3.11")
    clauses = clauses_named(("own-name", "own-group", "star-group"))
    trial = try_all({"": make}, clauses, token="")[""]
    assert trial.token == token
    expected = {} if token else dict.fromkeys(("own-name", "own-group"), ClauseVerdict.NOT_TESTED)
    assert not_obeyed(trial) == expected


def test_the_only_name_is_used_if_no_group_is_obeyed() -> None:
    trial = learned_by("Mozilla/5.0 (X11; Linux x86_64; OtherCrawler/1.0)")
    assert (trial.token, trial.token_from) == ("OtherCrawler", "its User-Agent")
    assert not_obeyed(trial)["own-group"] is ClauseVerdict.DISOBEYS
