"""TDMRep's file and its reading (W3C Community Group report, 2024-05-10), and Spawning's ai.txt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.patterns import is_literal, path_matches
from aipolicy.core.policy import PRESETS, Preset, SitePolicy, VisibilityName
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.signals.ai_txt import ai_txt
from aipolicy.signals.headers import headers_of
from aipolicy.signals.switches import Signals
from aipolicy.signals.tdmrep import tdm_reservation, tdmrep_entries, tdmrep_json
from tests.core.strategies import policies

SITE_RESERVED = '[{"location":"/","tdm-reservation":1}]'
SITE_FIRST = '[{"location":"/","tdm-reservation":1},{"location":"/open/","tdm-reservation":0}]'
PATH_FIRST = '[{"location":"/open/","tdm-reservation":0},{"location":"/","tdm-reservation":1}]'
BY_ENDING = '[{"location":"/*.jpg$","tdm-reservation":0},{"location":"/","tdm-reservation":1}]'
POLICY_URL = "https://blog.example/tdm.json"
OPEN = Preferences(train_ai=Preference.ALLOW)
CLOSED = Preferences(train_ai=Preference.DISALLOW)


def file_of(policy: SitePolicy, **signals: bool) -> Any:
    written = tdmrep_json(policy, Signals(**signals))
    return None if written is None else json.loads(written)


# What is read: vectors T1 to T8.


@pytest.mark.parametrize(
    ("file", "header", "meta", "path", "reservation"),
    [
        pytest.param(SITE_RESERVED, None, None, "/any", 1, id="T1"),
        pytest.param(SITE_RESERVED, "0", None, "/any", 0, id="T2"),
        pytest.param(SITE_RESERVED, "0", "1", "/any", 1, id="T3"),
        pytest.param(SITE_FIRST, None, None, "/open/x", 1, id="T4"),
        pytest.param(PATH_FIRST, None, None, "/open/x", 0, id="T5"),
        pytest.param(PATH_FIRST, None, None, "/other", 1, id="T5-elsewhere"),
        pytest.param(None, "yes", None, "/any", None, id="T6"),
        pytest.param(BY_ENDING, None, None, "/a.jpg", 0, id="T7-jpg"),
        pytest.param(BY_ENDING, None, None, "/a.html", 1, id="T7-html"),
        pytest.param(BY_ENDING, None, None, "/a.jpg?size=2", 1, id="T7-end"),
        pytest.param(SITE_RESERVED, None, None, "/", 1, id="T8"),
        pytest.param(SITE_RESERVED, "yes", "", "/any", 1, id="T8-unset-is-absent"),
        pytest.param(None, None, None, "/any", None, id="nothing-said"),
        pytest.param("[]", None, None, "/any", None, id="nothing-matches"),
        pytest.param(None, " 1 ", None, "/any", 1, id="spaces-around"),
        pytest.param(None, "1, 1", None, "/any", None, id="appended-is-unset"),
        pytest.param(None, "0", None, "/any", 0, id="header-alone"),
    ],
)
def test_tdmrep_4_the_most_specific_carrier_wins_and_absence_resets_nothing(
    file: str | None, header: str | None, meta: str | None, path: str, reservation: int | None
) -> None:
    assert tdm_reservation(path, file=file, header=header, meta=meta) == reservation


def test_tdmrep_a_location_matches_robots_txt_like_any_other_path() -> None:  # T1: any URL
    assert tdm_reservation("/robots.txt", file=SITE_RESERVED) == 1


def test_tdmrep_the_file_is_read_as_bytes_too() -> None:
    assert tdm_reservation("/", file=SITE_RESERVED.encode()) == 1


@pytest.mark.parametrize("value", ['"1"', "true", "2", "1.0", "null", "[1]"])
def test_tdmrep_any_value_but_the_numbers_0_and_1_is_unset(value: str) -> None:
    assert tdm_reservation("/", file=f'[{{"location":"/","tdm-reservation":{value}}}]') is None


@pytest.mark.parametrize(
    "file",
    [
        '{"location":"/","tdm-reservation":1}',
        '[{"tdm-reservation":1}]',
        '[{"location":3,"tdm-reservation":1}]',
        '[{"location":"","tdm-reservation":1}]',
        '[{"location":"page","tdm-reservation":1}]',
        '[{"location":"/"}]',
        "[1, null, []]",
        "null",
        "not json",
        "",
        b"\xff\xfe",
        pytest.param("[" * 10_000, id="deep"),
    ],
)
def test_tdmrep_what_is_not_the_protocols_array_says_nothing(file: str | bytes) -> None:
    assert tdm_reservation("/", file=file) is None


@given(st.text(), st.one_of(st.none(), st.text(), st.binary()), st.text(), st.text())
def test_tdmrep_reading_never_raises(path: str, file: str | bytes | None, header: str, meta: str) -> None:
    assert tdm_reservation(path, file=file, header=header, meta=meta) in (None, 0, 1)


# What is written.


@pytest.mark.parametrize(
    ("preset", "file"),
    [
        ("unset", None),
        ("allow", None),
        ("no-training", b'[\n  {"location": "/", "tdm-reservation": 1}\n]\n'),
        ("no-ai", b'[\n  {"location": "/", "tdm-reservation": 1}\n]\n'),
    ],
)
def test_each_preset_has_exactly_this_file(preset: Preset, file: bytes | None) -> None:
    assert tdmrep_json(SitePolicy.from_preset(preset), Signals()) == file


@pytest.mark.parametrize("visibility", ["discouraged", "private"])
def test_a_site_that_is_not_public_is_reserved(visibility: VisibilityName) -> None:
    policy = SitePolicy.from_preset("allow", visibility=visibility)
    assert file_of(policy) == [{"location": "/", "tdm-reservation": 1}]


def test_tdmrep_specific_locations_stand_first_and_the_site_last() -> None:
    paths = {"/open/": OPEN, "/open/closed/": CLOSED, "/*.jpg$": OPEN, "/tag/café": OPEN}
    assert file_of(SitePolicy(site="", preferences=CLOSED, path_preferences=tuple(paths.items()))) == [
        {"location": "/tag/caf%C3%A9", "tdm-reservation": 0},
        {"location": "/open/closed/", "tdm-reservation": 1},
        {"location": "/*.jpg$", "tdm-reservation": 0},
        {"location": "/open/", "tdm-reservation": 0},
        {"location": "/", "tdm-reservation": 1},
    ]


def test_one_reserved_path_is_enough_for_a_file_and_the_unset_site_has_no_entry() -> None:
    assert file_of(SitePolicy(path_preferences=(("/mine/", CLOSED),))) == [
        {"location": "/mine/", "tdm-reservation": 1}
    ]


def test_an_explicit_grant_is_stated_as_0() -> None:
    policy = SitePolicy.from_preset("allow", path_preferences=(("/mine/", CLOSED),))
    assert file_of(policy) == [
        {"location": "/mine/", "tdm-reservation": 1},
        {"location": "/", "tdm-reservation": 0},
    ]


def test_an_unset_path_never_reads_as_0_below_a_granted_one() -> None:
    paths = {"/art/": CLOSED, "/open/": OPEN, "/open/diary/": Preferences(search=Preference.ALLOW)}
    entries = file_of(SitePolicy(path_preferences=tuple(paths.items())))
    assert entries == [{"location": "/art/", "tdm-reservation": 1}]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([("/@bob/", Preferences()), ("/", OPEN)], []),
        ([("/@ada/", CLOSED), ("/@bob/", Preferences()), ("/", OPEN)], [("/@ada/", 1)]),
        ([("/@ada/", CLOSED), ("/@bob/", OPEN), ("/", Preferences())], [("/@ada/", 1), ("/@bob/", 0)]),
        ([("/@bob/", Preferences()), ("/@ada/", OPEN), ("/", CLOSED)], [("/@ada/", 0), ("/", 1)]),
        ([("/*/diary", Preferences()), ("/@ada/", OPEN), ("/", CLOSED)], [("/", 1)]),
        ([("/@bob/x", Preferences()), ("/@*.jpg", OPEN), ("/", CLOSED)], [("/", 1)]),
    ],
)
def test_no_entry_states_0_where_the_preference_is_unknown(
    places: list[tuple[str, Preferences]], expected: list[tuple[str, int]]
) -> None:
    entries = tdmrep_entries(places)
    assert [(entry["location"], entry["tdm-reservation"]) for entry in entries] == expected


@given(policies)
def test_the_header_is_1_or_absent_and_the_file_is_0_only_where_training_is_allowed(
    policy: SitePolicy,
) -> None:
    written = tdmrep_json(policy, Signals())
    for pattern, preferences in [*policy.effective_paths, ("/", policy.effective)]:
        headers = dict(headers_of(policy, preferences, Signals()))
        reserved = preferences.train_ai is Preference.DISALLOW
        assert headers.get(b"tdm-reservation") == (b"1" if reserved else None)
        if preferences.train_ai is Preference.UNKNOWN and is_literal(pattern):
            binding = [p for path, p in policy.effective_paths if path_matches(path, pattern)]
            if not binding or binding[0] == preferences:
                assert tdm_reservation(pattern, file=written) != 0


def test_a_policys_address_needs_its_switch_and_a_reservation() -> None:
    policy = SitePolicy(
        site="", preferences=CLOSED, path_preferences=(("/open/", OPEN),), tdm_policy_url=POLICY_URL
    )
    assert "tdm-policy" not in json.dumps(file_of(policy))
    assert file_of(policy, tdm_policy=True) == [
        {"location": "/open/", "tdm-reservation": 0},
        {"location": "/", "tdm-reservation": 1, "tdm-policy": POLICY_URL},
    ]
    assert file_of(SitePolicy(site="", preferences=CLOSED), tdm_policy=True) == [
        {"location": "/", "tdm-reservation": 1}
    ]


def test_with_its_switch_off_there_is_no_file() -> None:
    assert tdmrep_json(SitePolicy.from_preset("no-ai"), Signals(tdm=False)) is None


@given(policies, st.booleans())
def test_tdmrep_the_written_file_says_what_the_policy_says(policy: SitePolicy, switch: bool) -> None:
    written = tdmrep_json(policy, Signals(tdm_policy=switch))
    places = [*policy.effective_paths, ("/", policy.effective)]
    if written is None:
        assert not any(p.train_ai is Preference.DISALLOW for _, p in places)
        return
    assert written.isascii()
    entries = json.loads(written)
    assert isinstance(entries, list)
    assert all(type(entry["tdm-reservation"]) is int for entry in entries)
    assert (entries[-1]["location"] == "/") is bool(policy.effective.train_ai is not Preference.UNKNOWN)
    lengths = [len(entry["location"]) for entry in entries]
    assert lengths == sorted(lengths, reverse=True)
    stated = {Preference.DISALLOW: 1, Preference.ALLOW: 0, Preference.UNKNOWN: None}
    assert tdm_reservation("/somewhere-else", file=written) == stated[policy.effective.train_ai]


@pytest.mark.parametrize("preset", PRESETS)
def test_ai_txt_closes_an_opted_out_site_where_the_owner_asked_for_it(preset: Preset) -> None:
    policy = SitePolicy.from_preset(preset)
    expected = b"User-Agent: *\nDisallow: /\nDisallow: *\n" if policy.opted_out else None
    assert ai_txt(policy, Signals(ai_txt=True)) == expected
    assert ai_txt(policy, Signals()) is None
