"""X-Robots-Tag as it is read: Google's robots meta tag specification; vectors X1 to X8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.signals.x_robots_tag import parse_x_robots_tag

TWO_NAMES = ["googlebot: nofollow", "otherbot: noindex, nofollow"]


@pytest.mark.parametrize(
    ("lines", "agent", "rules"),
    [
        pytest.param(["noai, noimageai"], "anybot", {"noai", "noimageai"}, id="X1"),
        pytest.param(["NoAI"], "anybot", {"noai"}, id="X2"),
        pytest.param(TWO_NAMES, "Googlebot", {"nofollow"}, id="X3"),
        pytest.param(
            TWO_NAMES,
            "otherbot",
            {"noindex", "nofollow"},
            id="X3b",
        ),
        pytest.param(TWO_NAMES, "x", set(), id="X3c"),
        pytest.param(["nofollow", "googlebot: noindex"], "googlebot", {"nofollow", "noindex"}, id="X4"),
        pytest.param(
            ["unavailable_after: 25 Jun 2010 15:00:00 PST"],
            "anybot",
            {"unavailable_after: 25 jun 2010 15:00:00 pst"},
            id="X5",
        ),
        pytest.param(["max-snippet:50, nosnippet"], "anybot", {"max-snippet:50", "nosnippet"}, id="X6"),
        pytest.param(["max-snippet:0, noai"], "anybot", {"max-snippet:0", "noai"}, id="X7"),
        pytest.param(["noai, max-snippet:0"], "anybot", {"max-snippet:0", "noai"}, id="X7-turned-round"),
        pytest.param(["GPTBot: noai, noimageai"], "GPTBot", {"noai", "noimageai"}, id="X8"),
        pytest.param(["GPTBot: noai, noimageai"], "other", set(), id="X8b"),
        pytest.param(["GPTBot: max-snippet:0"], "gptbot", {"max-snippet:0"}, id="valued-rule-behind-a-name"),
        pytest.param(["  noai ,, NOIMAGEAI ,"], "", {"noai", "noimageai"}, id="empty-members"),
        pytest.param(["", ":", ": noai"], "", {"noai"}, id="no-name"),
        pytest.param([], "anybot", set(), id="no-line"),
        pytest.param(["noai\u00a0"], "", {"noai\u00a0"}, id="only-space-and-tab-are-white"),
    ],
)
def test_x_robots_tag_rules_without_a_name_hold_for_all_and_the_others_for_one(
    lines: list[str], agent: str, rules: set[str]
) -> None:
    assert parse_x_robots_tag(lines, agent) == rules


@pytest.mark.parametrize("line", ["{}", "bingbot: {}"])
def test_x_robots_tag_a_date_with_a_comma_is_one_rule(line: str) -> None:
    rule = "unavailable_after: friday, 25-jun-10 15:00:00 utc"
    assert parse_x_robots_tag([line.format(rule)], "bingbot") == {rule}


def test_x_robots_tag_a_date_with_a_comma_is_one_rule_behind_another_too() -> None:
    rule = "unavailable_after: friday, 25-jun-10 15:00:00 utc"
    assert parse_x_robots_tag([f"noindex, {rule}"]) == {"noindex", rule}


@given(st.lists(st.text()), st.text())
def test_x_robots_tag_reading_never_raises(lines: list[str], agent: str) -> None:
    assert parse_x_robots_tag(lines, agent) >= parse_x_robots_tag([x for x in lines if ":" not in x])


JOINED = "BadBot: noindex, nofollow, GPTBot: noai"


@pytest.mark.parametrize(
    ("line", "agent", "rules"),
    [
        (JOINED, "BadBot", {"noindex", "nofollow"}),
        (JOINED, "GPTBot", {"noai"}),
        (JOINED, "Googlebot", set()),
        (JOINED, "", set()),
        (f"noai, {JOINED}", "Googlebot", {"noai"}),
        (f"noai, {JOINED}", "GPTBot", {"noai"}),
        ("noai, noimageai, BadBot: noindex", "GPTBot", {"noai", "noimageai"}),
        ("a: noai, max-snippet: -1, b: none", "a", {"noai", "max-snippet: -1"}),
        (
            "max-snippet: -1, max-image-preview: large, b: none",
            "x",
            {"max-snippet: -1", "max-image-preview: large"},
        ),
        ("a: unavailable_after: 25 Jun 2010 15:00:00 PST, b: noai", "b", {"noai"}),
        ("a: unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, b: noai", "b", {"noai"}),
        (
            "unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, b: noai",
            "x",
            {"unavailable_after: fri, 25 jun 2010 15:00:00 gmt"},
        ),
        (
            "unavailable_after: Friday, June 25, 2010 3:00 PM, noai",
            "x",
            {"unavailable_after: friday, june 25, 2010 3:00 pm", "noai"},
        ),
        ("unavailable_after: 2010-06-25T15:00:00-07:00, 360Spider: noai", "360Spider", None),
        ("unavailable_after : Friday, 25-Jun-10 15:00:00 UTC, GPTBot: noai", "GPTBot", None),
        ("Sidetrade indexer bot: noindex, noai", "Sidetrade indexer bot", {"noindex", "noai"}),
        ("noindex: , b: noai", "b", {"noindex:", "noai"}),
        ("a:, b: noai", "a", set()),
    ],
)
def test_rfc9110_5_3_each_crawler_has_its_own_rules_in_a_joined_line(
    line: str, agent: str, rules: set[str] | None
) -> None:
    found = parse_x_robots_tag([line], agent)
    if rules is None:
        assert "noai" in found
        assert len([rule for rule in found if rule.startswith("unavailable_after")]) == 1
    else:
        assert found == rules


@given(
    st.lists(
        st.sampled_from([*TWO_NAMES, "noai, noimageai", "max-snippet: -1", JOINED]), min_size=1, max_size=4
    )
)
def test_rfc9110_5_3_joining_lines_loses_no_rule_of_a_named_crawler(lines: list[str]) -> None:
    joined = ", ".join(sorted(lines, key=lambda line: ":" in line and not line.startswith("max")))
    for agent in ("googlebot", "otherbot", "badbot", "gptbot", "x"):
        assert parse_x_robots_tag([joined], agent) == parse_x_robots_tag(lines, agent)
