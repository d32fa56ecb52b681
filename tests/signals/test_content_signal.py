"""Content-Signal lines: the policy at contentsignals.org, read as they are found in the wild."""

import pytest
from gpyrobotstxt.robots_cc import RobotsMatcher
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from protego import Protego

from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.robotstxt.matching import content_signals
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.signals.content_signal import combined_signal, content_signal, parse_content_signal, signal_text
from aipolicy.signals.switches import Signals
from tests.core.strategies import base_files, policies
from tests.core.strategies import preferences as any_preferences

ALLOW, DISALLOW, UNKNOWN = Preference.ALLOW, Preference.DISALLOW, Preference.UNKNOWN
ONLY_A_SIGNAL = b"User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: GPTBot\nDisallow: /\n"

values = st.lists(
    st.sampled_from(["search", "ai-input", "AI-Train", "use", "=", "yes", "NO", "full", ",", " ", "\x00"]),
    max_size=12,
).map("".join)


def signals_for(robots: str, token: str = "SomeBot") -> dict[str, str]:
    return content_signals(RobotsTxt.parse(robots), token)


# What a line says: vectors C1 to C7 in order.


def test_content_signal_an_absent_key_neither_grants_nor_restricts() -> None:  # C1
    robots = "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"
    assert signals_for(robots) == {"search": "yes", "ai-train": "no"}


def test_content_signal_a_line_without_spaces_and_with_use_is_read() -> None:  # C2
    robots = "User-agent: *\nContent-signal: search=yes,ai-train=no,use=reference\nAllow: /\n"
    assert signals_for(robots) == {"search": "yes", "ai-train": "no", "use": "reference"}


def test_house_keys_and_values_are_compared_in_any_case() -> None:  # C3
    assert signals_for("User-agent: *\nCONTENT-SIGNAL: AI-Train=NO\nAllow: /\n") == {"ai-train": "no"}


def test_content_signal_a_member_that_means_nothing_is_ignored_alone() -> None:  # C4
    robots = "User-agent: *\nContent-Signal: ai-train=maybe, search=yes, use=often, x=yes, y, =no\nAllow: /\n"
    assert signals_for(robots) == {"search": "yes"}


def test_content_signal_a_member_that_means_nothing_hides_no_other_of_its_key() -> None:  # C4
    assert parse_content_signal("ai-train=no, ai-train=maybe") == {"ai-train": "no"}


def test_content_signal_a_crawler_with_its_own_group_ignores_the_line_of_the_other() -> None:  # C5
    robots = "User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n\nUser-agent: ExampleBot\nAllow: /\n"
    assert signals_for(robots, "ExampleBot") == {}
    assert signals_for(robots, "OtherBot") == {"ai-train": "no"}


def test_content_signal_a_line_before_any_group_holds_for_nobody() -> None:  # C7
    assert signals_for("Content-Signal: ai-train=no\nUser-agent: *\nAllow: /\n") == {}
    assert signals_for("Content-Signal: ai-train=no\n") == {}


def test_house_of_two_lines_in_one_group_the_later_says_a_key() -> None:
    robots = "User-agent: *\nContent-Signal: search=yes, ai-train=yes\nContent-Signal: ai-train=no\n"
    assert signals_for(robots) == {"search": "yes", "ai-train": "no"}


@given(values)
@example("")
def test_reading_never_raises_and_finds_only_what_means_something(value: str) -> None:
    members = parse_content_signal(value)
    assert members.get("use") in {None, "immediate", "reference", "full"}
    assert {members[key] for key in members if key != "use"} <= {"yes", "no"}
    assert set(members) <= {"search", "ai-input", "ai-train", "use"}
    assert parse_content_signal(signal_text(members)) == members


# What we say.


@pytest.mark.parametrize(
    ("preferences", "line"),
    [
        (PRESETS["unset"], ""),
        (PRESETS["no-training"], "search=yes, ai-train=no"),
        (PRESETS["no-ai"], "search=yes, ai-input=no, ai-train=no"),
        (PRESETS["allow"], "search=yes, ai-input=yes, ai-train=yes"),
        (Preferences(search=DISALLOW), "search=no"),
        (Preferences(ai_use=DISALLOW), "search=yes, ai-input=no"),
    ],
    ids=lambda value: str(value) or "nothing",
)
def test_house_search_is_granted_with_an_opt_out_unless_it_is_refused(
    preferences: Preferences, line: str
) -> None:
    assert signal_text(content_signal(preferences)) == line


def test_the_keys_stand_in_the_order_of_cloudflares_own_files() -> None:
    assert (
        signal_text({"use": "full", "ai-train": "no", "search": "yes"}) == "search=yes, ai-train=no, use=full"
    )


@given(any_preferences)
def test_what_is_written_is_read_back_the_same(preferences: Preferences) -> None:
    members = content_signal(preferences)
    assert parse_content_signal(signal_text(members)) == members


@pytest.mark.parametrize(
    ("ours", "second", "both"),
    [
        ("ai-train=no", "ai-train=yes", "ai-train=no"),
        ("ai-train=yes", "ai-train=no", "ai-train=no"),
        ("search=yes, ai-train=no", "search=no", "search=no, ai-train=no"),
        ("ai-train=no", "ai-input=yes", "ai-input=yes, ai-train=no"),
        ("ai-train=no", "use=full", "ai-train=no"),
        ("ai-train=no", "", "ai-train=no"),
        ("", "ai-train=yes", "ai-train=yes"),
    ],
)
def test_house_of_two_statements_that_both_hold_no_wins(ours: str, second: str, both: str) -> None:
    assert signal_text(combined_signal(parse_content_signal(ours), parse_content_signal(second))) == both


@given(values, values)
def test_combining_loses_no_refusal(ours: str, second: str) -> None:
    one, other = parse_content_signal(ours), parse_content_signal(second)
    both = combined_signal(one, other)
    refused = {key for members in (one, other) for key, said in members.items() if said == "no"}
    assert {key for key, said in both.items() if said == "no"} == refused


# What we never write.


def groups_without_a_rule(robots: bytes) -> list[list[str]]:
    """Return the groups, as their lines, that have no Allow and no Disallow."""
    groups: list[list[str]] = []
    before = ""
    for line in robots.decode("utf-8", "surrogateescape").split("\n"):
        name = line.partition("#")[0].partition(":")[0].strip().lower()
        if not name:
            continue
        if name == "user-agent" and before != "user-agent":
            groups.append([])
        if groups:
            groups[-1].append(name)
        before = name
    return [group for group in groups if not {"allow", "disallow"} & set(group)]


def test_content_signal_the_sites_own_group_of_only_a_signal_gets_a_rule() -> None:  # C6
    assert groups_without_a_rule(ONLY_A_SIGNAL)
    written = robots_txt(SitePolicy.from_preset("no-training"), base=ONLY_A_SIGNAL)
    assert groups_without_a_rule(written) == []
    # What the vector is about: the signal doesn't end the group (RFC 9309 §2.2.4), so everyone is shut out.
    for token in ("OtherBot", "GPTBot"):
        assert not allowed_by_google(ONLY_A_SIGNAL, token)
        assert not allowed_by_google(written, token)
        assert not Protego.parse(written.decode()).can_fetch("https://blog.example/x", token)


def allowed_by_google(robots: bytes, token: str) -> bool:
    return bool(RobotsMatcher().one_agent_allowed_by_robots(robots, token, "https://blog.example/x"))


@settings(max_examples=100, deadline=None)
@given(policies, base_files)
@example(SitePolicy.from_preset("no-ai"), ONLY_A_SIGNAL)
def test_content_signal_no_group_is_ever_written_without_a_rule(
    policy: SitePolicy, base: bytes
) -> None:  # C6
    assume(policy.effective)  # a policy that says nothing leaves the site's own file as it is
    assert groups_without_a_rule(robots_txt(policy, base=base)) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_with_its_switch_off_no_signal_line_is_written(preset: Preset) -> None:
    policy = SitePolicy.from_preset(preset)
    written = robots_txt(policy, Signals(content_signal=False))
    assert b"content-signal" not in written.lower()
    assert (b"Content-Signal: " in robots_txt(policy)) is (preset != "unset")
