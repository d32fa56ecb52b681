"""robots.txt read and written: RFC 9309, and the house's leniency in reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.robotstxt.parser import (
    BEGIN,
    END,
    Group,
    Record,
    RobotsTxt,
    Rule,
    product_token,
    truncated,
    without_ours,
)


def the_group(text: str | bytes) -> Group:
    (group,) = RobotsTxt.parse(text).groups
    return group


def test_rfc9309_2_1_a_group_is_user_agent_lines_then_rules() -> None:
    robots = RobotsTxt.parse(
        "User-agent: a\nUser-agent: b\nDisallow: /x\nAllow: /y\nUser-agent: c\nDisallow: /\n"
    )
    assert [group.tokens for group in robots.groups] == [("a", "b"), ("c",)]
    assert robots.groups[0].rules == (Rule(False, "/x", 3), Rule(True, "/y", 4))
    assert robots.groups[1].rules == (Rule(False, "/", 6),)


def test_rfc9309_2_1_rules_before_any_user_agent_line_bind_nobody_and_are_kept() -> None:
    robots = RobotsTxt.parse("Disallow: /\n\nUser-agent: a\nAllow: /\n")
    assert [str(record) for record in robots.preamble] == ["Disallow: /"]
    assert [str(rule) for rule in robots.groups[0].rules] == ["Allow: /"]


def test_rfc9309_2_2_field_names_are_case_insensitive() -> None:
    group = the_group("USER-AGENT: a\nDISALLOW: /x\nallow: /y\n")
    assert [str(rule) for rule in group.rules] == ["Disallow: /x", "Allow: /y"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_rfc9309_2_2_a_line_ends_at_cr_lf_or_both(newline: str) -> None:
    group = the_group(newline.join(["User-agent: a", "Disallow: /x", "Disallow: /y"]))
    assert group.rules == (Rule(False, "/x", 2), Rule(False, "/y", 3))


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85"])
def test_rfc9309_2_2_no_other_character_ends_a_line(separator: str) -> None:
    group = the_group(f"User-agent: a\nDisallow: /x{separator}Allow: /\n")
    assert len(group.rules) == 1


def test_rfc9309_2_2_a_comment_ends_the_value_and_is_kept() -> None:
    (rule,) = the_group("User-agent: a\nDisallow: /x # why\n").rules
    assert (rule.pattern, rule.comment, str(rule)) == ("/x", " why", "Disallow: /x # why")


def test_rfc9309_2_2_2_patterns_are_kept_in_one_spelling() -> None:
    rules = the_group(
        "User-agent: a\nDisallow: /%7eb/caf\u00e9\nDisallow: /caf%c3%a9\nDisallow: /a%2fb\n"
    ).rules
    assert [rule.pattern for rule in rules] == ["/~b/caf%C3%A9", "/caf%C3%A9", "/a%2Fb"]


def test_rfc9309_2_2_4_sitemaps_stand_outside_groups_and_do_not_end_one() -> None:
    robots = RobotsTxt.parse("User-agent: a\nSitemap: https://x.example/s\nUser-agent: b\nDisallow: /\n")
    assert [group.tokens for group in robots.groups] == [("a", "b")]
    assert [str(record) for record in robots.site_wide] == ["Sitemap: https://x.example/s"]


def test_rfc9309_2_2_4_other_records_belong_to_their_group() -> None:
    group = the_group("User-agent: a\nContent-Signal: ai-train=no\nCrawl-delay: 5\nDisallow: /\n")
    others = [record for record in group.records if isinstance(record, Record)]
    assert [(record.name, record.value) for record in others] == [
        ("Content-Signal", "ai-train=no"),
        ("Crawl-delay", "5"),
    ]


def test_house_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert the_group(b"\xef\xbb\xbfUser-agent: a\nDisallow: /\n").tokens == ("a",)


@pytest.mark.parametrize(
    "line", ["Disalow: /x", "dissallow: /x", "Dissalow: /x", "diasllow: /x", "disallaw: /x", "Disallow /x"]
)
def test_house_misspellings_that_google_accepts_are_read_and_corrected(line: str) -> None:
    group = the_group(f"Useragent: a\n{line}\n")
    assert list(group.lines()) == ["User-agent: a", "Disallow: /x"]


def test_house_a_field_that_only_begins_like_a_known_one_is_not_that_field() -> None:
    group = the_group("User-agent: a\nDisallow-AI-Training: /\nDisallow: /x\n")
    assert [str(rule) for rule in group.rules] == ["Disallow: /x"]
    assert [r.read_differently for r in group.records if isinstance(r, Record)] == [True]


def test_house_a_line_that_cannot_be_read_is_kept_as_a_comment() -> None:
    assert list(the_group("User-agent: a\nwhat is this?\nDisallow: /x\n").lines()) == [
        "User-agent: a",
        "# unreadable: what is this?",
        "Disallow: /x",
    ]


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("GPTBot", "GPTBot"),
        ("GPTBot/1.2", "GPTBot"),
        ("GPTBot*", "GPTBot"),
        ("*", "*"),
        ("* anything", "*"),
        ("Kangaroo Bot", "Kangaroo Bot"),
        ("", ""),
    ],
)
def test_house_a_version_or_a_star_behind_a_product_token_is_no_part_of_it(value: str, token: str) -> None:
    assert product_token(value) == token


@pytest.mark.parametrize(
    ("token", "cut"),
    [("AI2Bot", "AI"), ("img2dataset", "img"), ("Kangaroo Bot", "Kangaroo"), ("GPTBot", "GPTBot")],
)
def test_house_google_style_parsers_cut_a_token_outside_the_grammar(token: str, cut: str) -> None:
    assert truncated(token) == cut


@pytest.mark.parametrize(
    ("rules", "blocks"),
    [
        ("Disallow: /", True),
        ("Disallow: /*", True),
        ("Disallow: /\nDisallow: /x", True),
        ("Disallow: /\nAllow: /x", False),
        ("Disallow: /\nAllow:", True),
        ("Disallow: /x", False),
        ("Disallow:", False),
        ("Allow: /", False),
    ],
)
def test_a_group_blocks_everything_where_no_allow_can_open_a_path(rules: str, blocks: bool) -> None:
    assert the_group(f"User-agent: a\n{rules}\n").blocks_everything is blocks


def test_a_written_file_is_read_back_unchanged() -> None:
    text = "# mine\nUser-agent: a\nUser-agent: *\nCrawl-delay: 3\nDisallow: /x # why\n\nSitemap: https://x.example/s\n"
    assert str(RobotsTxt.parse(text)) == text


def test_our_lines_are_those_between_the_markers() -> None:
    text = f"User-agent: a\n{BEGIN}\nDisallow: /ours\n{END}\nDisallow: /theirs\n"
    assert without_ours(text) == "User-agent: a\nDisallow: /theirs\n"


@pytest.mark.parametrize("marker", [BEGIN, END])
def test_a_marker_without_its_partner_takes_no_line_with_it(marker: str) -> None:
    assert without_ours(f"User-agent: a\n{marker}\nDisallow: /\n") == "User-agent: a\nDisallow: /\n"


def test_a_file_without_markers_is_left_as_it_is() -> None:
    text = "User-agent: a\r\nDisallow: /\r\n"
    assert without_ours(text) is text


@given(st.one_of(st.text(), st.binary()))
def test_reading_never_fails_and_what_it_wrote_it_reads_alike(source: str | bytes) -> None:
    written = str(RobotsTxt.parse(source))
    assert str(RobotsTxt.parse(written)) == written


def test_twenty_thousand_tokens_in_one_group_are_each_kept_once() -> None:
    names = [f"b{number}" for number in range(20_000)]
    group = the_group("".join(f"User-agent: {name}\n" for name in (*names, "B7")) + "Disallow: /\n")
    assert group.tokens == tuple(names)
