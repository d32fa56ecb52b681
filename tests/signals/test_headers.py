"""Response headers: what each policy says in them, and how they join the application's."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.policy import PRESETS, Preset, SitePolicy, VisibilityName
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import Visibility
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import FIELD_NAMES, FIELDS, as_text, headers_of, merge_headers, meta_tags
from aipolicy.signals.switches import Signals
from aipolicy.signals.x_robots_tag import parse_x_robots_tag
from tests.core.strategies import policies

NOAI = (b"x-robots-tag", b"noai, noimageai")
NOARCHIVE = (b"x-robots-tag", b"noarchive")
NOSNIPPET = (b"x-robots-tag", b"nosnippet")
NOINDEX = (b"x-robots-tag", b"noindex, nofollow")
RESERVED = (b"tdm-reservation", b"1")
POLICY_URL, LICENCE_URL = "https://blog.example/tdm.json", "https://blog.example/licence.xml"
TDM_POLICY = (b"tdm-policy", POLICY_URL.encode())
LICENCE = (b"link", f'<{LICENCE_URL}>; rel="license"; type="application/rsl+xml"'.encode())

switches = st.builds(Signals, **{field.name: st.booleans() for field in fields(Signals)})
settled_switches = switches.filter(lambda signals: not signals.rsl)  # a Link is appended, not joined
NAMES = [b"x-robots-tag", b"tdm-reservation", b"tdm-policy", b"content-usage", b"link", b"date"]
spellings = st.sampled_from([bytes, bytes.title, bytes.upper])
names = st.builds(lambda name, spell: spell(name), st.sampled_from(NAMES), spellings)
values = st.one_of(
    st.sampled_from([b"noai, noimageai", b"noindex", b"bingbot: noarchive", b"train-ai=y", b"x=1, ai-use=n"]),
    st.sampled_from([b"0", b"1", b"", b"train-ai=n,", b"\xff", b"https://else.example/"]),
)
header_lists = st.lists(st.tuples(names, values), max_size=6)


def usage(statement: bytes) -> Header:
    return (b"content-usage", statement)


def headers(policy: SitePolicy, **signals: bool) -> list[Header]:
    return list(headers_of(policy, policy.effective, Signals(**signals)))


def preset(name: Preset, visibility: VisibilityName = "public") -> SitePolicy:
    return SitePolicy.from_preset(
        name,
        site="blog.example",
        visibility=visibility,
        tdm_policy_url=POLICY_URL,
        license_url=LICENCE_URL,
    )


# What a policy says.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unset", []),
        ("no-training", [NOAI, usage(b"train-ai=n"), RESERVED]),
        ("no-ai", [NOAI, usage(b"train-ai=n, ai-use=n"), RESERVED]),
        ("allow", [usage(b"train-ai=y, ai-use=y")]),
    ],
)
def test_each_preset_of_a_public_site_has_exactly_these_headers(name: Preset, expected: list[Header]) -> None:
    assert headers(preset(name)) == expected


@pytest.mark.parametrize(
    ("name", "visibility", "statement"),
    [
        ("unset", "discouraged", b"train-ai=n, search=n"),
        ("no-training", "discouraged", b"train-ai=n, search=n"),
        ("no-ai", "discouraged", b"train-ai=n, ai-use=n, search=n"),
        ("allow", "discouraged", b"train-ai=n, ai-use=y, search=n"),
        *((name, "private", b"train-ai=n, ai-use=n, search=n") for name in PRESETS),
    ],
)
def test_each_preset_of_a_site_that_is_not_public_has_exactly_these_headers(
    name: Preset, visibility: VisibilityName, statement: bytes
) -> None:
    assert headers(preset(name, visibility)) == [NOAI, NOINDEX, usage(statement), RESERVED]


def test_a_path_has_the_headers_of_its_own_preferences() -> None:
    policy = preset("no-training")
    assert headers_of(policy, PRESETS["allow"], Signals()) == (usage(b"train-ai=y, ai-use=y"),)
    assert headers_of(policy, Preferences(), Signals()) == ()


@pytest.mark.parametrize(
    ("switch", "added"),
    [
        ("noarchive", [NOARCHIVE]),
        ("nosnippet", [NOSNIPPET]),
        ("tdm_policy", [TDM_POLICY]),
        ("rsl", [LICENCE]),
        ("ai_txt", []),
    ],
)
def test_a_switch_that_is_off_by_default_adds_just_its_line(switch: str, added: list[Header]) -> None:
    before = headers(preset("no-ai"))
    after = headers(preset("no-ai"), **{switch: True})
    assert [header for header in after if header not in before] == added
    assert [header for header in after if header in before] == before


@pytest.mark.parametrize(
    ("switch", "taken"),
    [
        ("noai", [NOAI]),
        ("content_usage", [usage(b"train-ai=n, ai-use=n")]),
        ("tdm", [RESERVED]),
        ("content_signal", []),
    ],
)
def test_a_switch_that_is_on_by_default_takes_just_its_line_away(switch: str, taken: list[Header]) -> None:
    before = headers(preset("no-ai"))
    assert headers(preset("no-ai"), **{switch: False}) == [h for h in before if h not in taken]


def test_every_switch_is_tried_above() -> None:
    on = {"noai", "content_usage", "tdm", "content_signal"}
    off = {"noarchive", "nosnippet", "tdm_policy", "rsl", "ai_txt"}
    assert {field.name: field.default for field in fields(Signals)} == (
        dict.fromkeys(on, True) | dict.fromkeys(off, False)
    )


def test_snippets_are_kept_where_only_training_is_refused() -> None:
    assert NOSNIPPET not in headers(preset("no-training"), nosnippet=True)


def test_a_policy_url_says_nothing_without_a_reservation() -> None:
    assert TDM_POLICY not in headers(preset("allow"), tdm_policy=True)
    assert TDM_POLICY not in headers(preset("no-ai"), tdm_policy=True, tdm=False)


def test_an_address_that_the_site_does_not_have_is_not_sent() -> None:
    policy = SitePolicy.from_preset("no-training")
    assert headers(policy, rsl=True, tdm_policy=True) == headers(policy)


def test_everything_at_once_stands_in_this_order() -> None:
    everything = headers(
        preset("no-ai", "discouraged"), noarchive=True, nosnippet=True, tdm_policy=True, rsl=True
    )
    tags = [NOAI, NOARCHIVE, NOSNIPPET, NOINDEX]
    statement = usage(b"train-ai=n, ai-use=n, search=n")
    assert everything == [*tags, statement, RESERVED, TDM_POLICY, LICENCE]


def test_every_header_of_the_table_is_sent_by_some_switch_and_spelled_as_its_specification_does() -> None:
    everything = Signals(**{field.name: True for field in fields(Signals)})
    policy = preset("no-ai", "discouraged")
    sent = headers_of(policy, policy.effective, everything)
    assert {name for name, _ in sent} == FIELD_NAMES
    assert {as_text(header)[0] for header in sent} == {field.name for field in FIELDS}
    for field in FIELDS:
        tag = f'<meta name="{field.meta_name}"'.encode()
        assert (tag in meta_tags(sent)) is bool(field.meta_name)


@given(policies, switches)
def test_x_robots_tag_is_written_so_that_both_known_readers_find_it(
    policy: SitePolicy, signals: Signals
) -> None:
    written = headers_of(policy, policy.effective, signals)
    tags = [value for name, value in written if name == b"x-robots-tag"]
    assert all(b"noai" not in value for value in tags[1:])
    assert not any(b"noai" in value for value in tags) or tags[0] == b"noai, noimageai"
    assert all(value in (NOAI[1], NOINDEX[1]) or b"," not in value for value in tags)
    assert all(b":" not in value and b"nocache" not in value for value in tags)
    assert all(name == name.lower() for name, _ in written)
    others = [name for name, _ in written if name != b"x-robots-tag"]
    assert len(set(others)) == len(others)


@given(policies, switches)
def test_written_signals_are_read_back(policy: SitePolicy, signals: Signals) -> None:
    written = headers_of(policy, policy.effective, signals)
    rules = parse_x_robots_tag([value.decode() for name, value in written if name == b"x-robots-tag"])
    assert ("noai" in rules) is (signals.noai and policy.opted_out)
    assert ("noindex" in rules) is (policy.visibility is not Visibility.PUBLIC)


# How they join what the application has set.


@pytest.mark.parametrize("name", [b"x-robots-tag", b"X-Robots-Tag", b"X-ROBOTS-TAG"])
def test_the_applications_x_robots_tag_is_kept_behind_ours(name: bytes) -> None:
    headers = [(name, b"max-snippet:0"), (b"date", b"today"), (name, b"bingbot: noarchive")]
    assert merge_headers(headers, [NOAI, NOARCHIVE]) == [NOAI, NOARCHIVE, *headers]


def test_a_line_of_x_robots_tag_that_is_ours_already_stands_once() -> None:
    assert merge_headers([(b"X-Robots-Tag", NOAI[1]), NOINDEX], [NOAI]) == [NOAI, NOINDEX]


@pytest.mark.parametrize("name", [b"content-usage", b"Content-Usage", b"CONTENT-USAGE"])
def test_content_usage_is_one_line_and_the_most_restrictive(name: bytes) -> None:
    headers = [(name, b"train-ai=y, ai-use=n"), (b"date", b"today"), (b"Content-usage", b"bots=n")]
    merged = merge_headers(headers, [usage(b"train-ai=n")])
    assert merged == [(b"date", b"today"), usage(b"train-ai=n, ai-use=n, bots=n")]


def test_content_usage_that_cannot_be_parsed_gives_way() -> None:
    assert merge_headers([(b"content-usage", b"train-ai=y,")], [usage(b"train-ai=n")]) == [
        usage(b"train-ai=n")
    ]


@pytest.mark.parametrize("name", [b"tdm-reservation", b"TDM-Reservation", b"Tdm-Reservation"])
@pytest.mark.parametrize("value", [b"0", b"1", b"yes"])
def test_tdm_reservation_is_set_and_never_appended(name: bytes, value: bytes) -> None:
    assert merge_headers([(name, value), (name, value)], [RESERVED]) == [RESERVED]


def test_the_applications_tdm_policy_stays_unless_the_site_policy_has_one() -> None:
    headers = (b"TDM-Policy", b"https://else.example/")
    assert merge_headers([headers], [RESERVED]) == [headers, RESERVED]
    assert merge_headers([headers], [RESERVED, TDM_POLICY]) == [RESERVED, TDM_POLICY]


def test_the_applications_links_are_kept() -> None:
    headers = (b"link", b"</feed>; rel=alternate")
    assert merge_headers([headers], [LICENCE]) == [headers, LICENCE]


def test_without_signals_the_applications_headers_stay_as_they_are() -> None:
    headers = [usage(b"train-ai=y"), usage(b"train-ai=n"), (b"TDM-Reservation", b"0"), NOINDEX]
    assert merge_headers(headers, []) == headers


def test_joining_twice_adds_no_second_link() -> None:
    once = merge_headers([], [LICENCE])
    assert merge_headers(once, [LICENCE]) == once


@given(header_lists, policies, switches)
def test_the_applications_list_is_left_alone(
    headers: list[Header], policy: SitePolicy, signals: Signals
) -> None:
    before = list(headers)
    merged = merge_headers(headers, headers_of(policy, policy.effective, signals))
    assert headers == before
    assert merged is not headers


def others(headers: list[Header]) -> list[Header]:
    return [header for header in headers if header[0].lower() in (b"link", b"date")]


@given(header_lists, policies, settled_switches)
def test_joining_loses_nothing_and_weakens_nothing(
    headers: list[Header], policy: SitePolicy, signals: Signals
) -> None:
    ours = headers_of(policy, policy.effective, signals)
    merged = merge_headers(headers, ours)
    for name in {name for name, _ in ours} - {b"x-robots-tag"}:
        assert [key.lower() for key, _ in merged].count(name) == 1
    tags = [value for name, value in merged if name.lower() == b"x-robots-tag"]
    own = [value for name, value in ours if name == b"x-robots-tag"]
    assert tags[: len(own)] == own
    assert {v for n, v in headers if n.lower() == b"x-robots-tag"} <= set(tags)
    assert others(merged) == others(headers)
    if (stated := dict(ours).get(b"content-usage")) is not None:
        lines = [value for name, value in headers if name.lower() == b"content-usage"]
        both = Preferences.parse(stated).combined(Preferences.parse(b", ".join(filter(None, lines))))
        for line in lines:  # the next one may take it back, or be none that can be parsed
            both = both.combined(Preferences.parse(line).disallowed)
        assert Preferences.parse(dict(merged)[b"content-usage"]) == both
    assert merge_headers(merged, ours) == merged
