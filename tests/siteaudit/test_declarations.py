"""The statement of a signal that applies, by the rules of each signal."""

import json
from typing import Any

import pytest

from aipolicy.core.preferences import Category, Preference
from aipolicy.errors import FetchTrouble
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.crawler_view import CrawlerView, crawler_view
from aipolicy.siteaudit.declarations import header_preferences, licences, reservation, rules_for
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.parsed_site import PageSignals, ParsedSite
from aipolicy.siteaudit.statements import UNNAMED
from tests.siteaudit.observations import answer, observe, page, robots

NO, YES, UNKNOWN = Preference.DISALLOW, Preference.ALLOW, Preference.UNKNOWN
TRAIN, USE, SEARCH = Category.TRAIN_AI, Category.AI_USE, Category.SEARCH


def say(observation: Observation, token: str = UNNAMED) -> CrawlerView:
    return crawler_view(ParsedSite(observation), token)


def uses(observation: Observation, token: str = UNNAMED) -> tuple[Preference, ...]:
    return tuple(use.preference for use in say(observation, token).uses)


def wheres(observation: Observation, category: Category, token: str = UNNAMED) -> list[str]:
    return [s.location.where for s in say(observation, token).use(category).statements]


def reserving(*entries: tuple[str, int]) -> Any:
    body = json.dumps([{"location": location, "tdm-reservation": value} for location, value in entries])
    return answer("/.well-known/tdmrep.json", body)


def tagged(content: str, name: str = "tdm-reservation") -> str:
    return f'<html><head><meta name="{name}" content="{content}"></head></html>'


@pytest.mark.parametrize(
    ("file", "header", "meta", "expected"),
    [
        ([("/", 1)], None, None, [NO]),  # T1
        ([("/", 1)], "0", None, [YES]),  # T2
        ([("/", 1)], "0", "1", [NO]),  # T3
        ([("/", 1), ("/2026/", 0)], None, None, [NO]),  # T4: the first in sequence
        ([("/2026/", 0), ("/", 1)], None, None, [YES]),  # T5
        ([], "yes", None, []),  # T6
        ([("/*t$", 0), ("/", 1)], None, None, [YES]),  # T7
        ([("/", 1)], None, "", [NO]),  # T8: absence resets nothing
        ([("/", 1)], "1, 1", None, [NO]),  # no value, so the file's stands
    ],
)
def test_tdmrep_4_the_most_specific_carrier_counts(
    file: list[tuple[str, int]], header: str | None, meta: str | None, expected: list[Preference]
) -> None:
    lines = () if header is None else (("TDM-Reservation", header),)
    body = "" if meta is None else tagged(meta)
    one = observe(page_=page(*lines, body=body), tdmrep=reserving(*file))
    assert [s.preference for s in reservation(ParsedSite(one))] == expected


@pytest.mark.parametrize(
    ("lines", "token", "expected"),
    [
        (["noai, noimageai"], "x", {"noai", "noimageai"}),  # X1
        (["NoAI"], "x", {"noai"}),  # X2
        (["googlebot: nofollow", "otherbot: noindex, nofollow"], "otherbot", {"noindex"}),  # X3
        (["googlebot: nofollow", "otherbot: noindex, nofollow"], "x", set()),
        (["noarchive", "googlebot: noindex"], "Googlebot", {"noarchive", "noindex"}),  # X4
        (["max-snippet: 0, noai"], "x", {"max-snippet:0", "noai"}),  # X7
        (["GPTBot: noai, noimageai"], "GPTBot", {"noai", "noimageai"}),  # X8
    ],
)
def test_x_robots_tag_is_the_sum_of_the_negatives(lines: list[str], token: str, expected: set[str]) -> None:
    got = PageSignals(page(*(("X-Robots-Tag", line) for line in lines)))
    assert set(rules_for(got, token)) == expected


def test_meta_tags_add_to_the_header_and_a_crawlers_own_to_the_general_ones() -> None:
    body = '<meta name=robots content=NOINDEX><meta name=GPTBot content=noai><meta name=x content="none, y">'
    got = PageSignals(page(("X-Robots-Tag", "noarchive"), body=f"<html>{body}"))
    assert set(rules_for(got, "gptbot")) == {"noarchive", "noindex", "noai"}
    assert set(rules_for(got, "x")) == {"noarchive", "noindex", "none"}


@pytest.mark.parametrize(
    ("contents", "expected", "found"),
    [(["1", " 1 "], [NO], []), (["1", "0"], [], ["1, 0"]), (["yes"], [], ["yes"])],
)
def test_equal_tags_are_one_reservation_and_different_ones_are_invalid(
    contents: list[str], expected: list[Preference], found: list[str]
) -> None:
    tags = "".join(f'<meta name="tdm-reservation" content="{content}">' for content in contents)
    one = observe(page_=page(body=f"<html>{tags}"))
    assert [s.preference for s in reservation(ParsedSite(one))] == expected
    told = [one for one in audit(one).findings if one.id == "tdm-reservation-unreadable"]
    assert [one.found for one in told] == [f"tdm-reservation is {value!r}" for value in found]
    assert not any("proxies" in one.effect for one in told)


def test_two_lines_of_a_header_are_one_value() -> None:
    one = observe(page_=page(("tdm-reservation", "1"), ("tdm-reservation", "1")))
    assert reservation(ParsedSite(one)) == []
    (told,) = [one for one in audit(one).findings if one.id == "tdm-reservation-unreadable"]
    assert "proxies" in told.effect


def test_bing_reads_noarchive_and_of_the_pair_with_nocache_the_weaker() -> None:
    alone = observe(page_=page(("X-Robots-Tag", "noarchive")))
    assert uses(alone, "bingbot") == (NO, NO, UNKNOWN)
    assert uses(alone, "Amazonbot") == (NO, UNKNOWN, UNKNOWN)
    assert uses(alone, "Googlebot") == (UNKNOWN, UNKNOWN, UNKNOWN)
    both = observe(page_=page(("X-Robots-Tag", "noarchive"), ("X-Robots-Tag", "nocache")))
    assert uses(both, "bingbot") == (UNKNOWN, UNKNOWN, UNKNOWN)


def test_google_reads_nosnippet_as_no_to_its_answers() -> None:
    assert uses(observe(page_=page(("X-Robots-Tag", "nosnippet"))), "Googlebot") == (UNKNOWN, NO, UNKNOWN)
    assert uses(observe(page_=page(("X-Robots-Tag", "max-snippet:0"))), "Googlebot") == (UNKNOWN, NO, UNKNOWN)


def test_aipref_vocab_5_1_the_most_restrictive_of_all_carriers_counts() -> None:
    file = robots("User-agent: *\nContent-Usage: train-ai=y, search=y\nAllow: /\n")
    one = observe(robots_txt=file, page_=page(("Content-Usage", "train-ai=n")))  # A16
    assert uses(one) == (NO, UNKNOWN, YES)
    assert wheres(one, TRAIN) == ["robots.txt line 2", "header Content-Usage"]


def test_aipref_attach_3_only_the_longest_line_counts_and_equal_ones_are_combined() -> None:
    lines = "User-agent: *\nAllow: /\nContent-Usage: train-ai=n\nContent-Usage: /2026/ train-ai=y\n"
    assert uses(observe(robots_txt=robots(lines)))[0] is YES
    assert uses(observe(robots_txt=robots(f"{lines}Content-Usage: /2026/ train-ai=n\n")))[0] is NO  # A15


def test_rfc9651_4_2_of_two_content_usage_lines_the_last_counts() -> None:
    got = PageSignals(page(("Content-Usage", "train-ai=n, ai-use=n"), ("content-usage", "train-ai=y")))
    assert str(header_preferences(got)) == "train-ai=y, ai-use=n"  # A12
    one = observe(page_=page(("Content-Usage", "train-ai=n"), ("Content-Usage", "train-ai=y")))
    assert wheres(one, TRAIN) == ["header Content-Usage line 2"]


def test_a_content_signal_applies_to_its_group() -> None:
    file = robots(
        "User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n\nUser-agent: ExampleBot\nAllow: /\n"
    )
    assert uses(observe(robots_txt=file))[0] is NO
    assert uses(observe(robots_txt=file), "ExampleBot") == (UNKNOWN, UNKNOWN, UNKNOWN)  # C5


def test_ai_txt_says_no_if_it_disallows_everything_and_an_html_page_says_nothing() -> None:
    no = answer("/ai.txt", "User-Agent: *\nDisallow: /\nDisallow: *\n")
    assert uses(observe(ai_txt=no))[0] is NO
    some = answer("/ai.txt", "User-Agent: *\nDisallow: *.jpg\n")
    assert uses(observe(ai_txt=some))[0] is UNKNOWN
    lost = answer("/ai.txt", "<!doctype html>\nUser-Agent: *\nDisallow: /\n")
    assert uses(observe(ai_txt=lost))[0] is UNKNOWN


def test_rsl_licences_are_found_in_robots_txt_in_headers_and_in_tags() -> None:
    link = '<https://a.example/l.xml>; rel="license"; type="application/rsl+xml", </style.css>; rel=preload'
    body = '<link rel="license" type="application/rsl+xml" href="https://a.example/m.xml">'
    other = '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">'
    one = observe(
        robots_txt=robots("License: https://a.example/k.xml\nUser-agent: *\nAllow: /\n"),
        page_=page(("Link", link), body=f"<html>{body}{other}"),
    )
    assert [licence.url.rpartition("/")[2] for licence in licences(ParsedSite(one))] == [
        "k.xml",
        "l.xml",
        "m.xml",
    ]


def test_a_disallowed_crawler_receives_no_signal_of_the_page() -> None:
    file = robots("User-agent: GPTBot\nContent-Usage: ai-use=n\nDisallow: /\n")
    one = observe(robots_txt=file, page_=page(("Content-Usage", "ai-use=y")))
    assert not say(one, "GPTBot").fetch.allowed
    assert uses(one, "GPTBot") == (
        NO,
        UNKNOWN,
        UNKNOWN,
    )  # attach-05 §3: a path that is shut has no preferences
    assert uses(one, "ClaudeBot") == (UNKNOWN, YES, UNKNOWN)


def test_a_disallowed_control_token_is_a_no_to_training_and_grounding() -> None:
    one = observe(robots_txt=robots("User-agent: Google-Extended\nDisallow: /\n"))
    assert uses(one, "Google-Extended") == (NO, NO, UNKNOWN)
    assert say(one, "Google-Extended").is_control


def test_applebot_without_a_group_uses_googlebots() -> None:
    one = observe(robots_txt=robots("User-agent: Googlebot\nDisallow: /2026/\n\nUser-agent: *\nAllow: /\n"))
    assert not say(one, "Applebot").fetch.allowed
    assert say(one, "ClaudeBot").fetch.allowed


@pytest.mark.parametrize(
    ("status", "allowed"), [(404, True), (403, True), (429, True), (304, True), (500, False), (503, False)]
)
def test_rfc9309_2_3_1_without_a_file_the_status_decides(status: int, allowed: bool) -> None:
    fetch = say(observe(robots_txt=robots("User-agent: *\nDisallow: /\n", status=status))).fetch
    assert fetch.allowed is allowed
    assert str(status) in fetch.reason


def test_rfc9309_2_3_1_4_no_answer_disallows_everything_and_too_many_redirects_nothing() -> None:
    away = answer("/robots.txt", trouble=FetchTrouble.TIMEOUT)
    assert not say(observe(robots_txt=away)).fetch.allowed
    circling = answer("/robots.txt", trouble=FetchTrouble.REDIRECTS)
    assert say(observe(robots_txt=circling)).fetch.allowed


def test_rfc9309_2_5_rules_after_500_kib_are_not_read() -> None:
    body = "User-agent: *\n" + "# 3456789\n" * 51_200 + "Disallow: /\n"
    assert say(observe(robots_txt=robots(body))).fetch.allowed
