"""A site policy: its presets, what its visibility implies, its paths, and its JSON form."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.crawlers import Scope
from aipolicy.core.policy import PRESETS, Preset, SitePolicy, VisibilityName
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import PolicyError
from tests.core.oracle import IMPLIED
from tests.core.strategies import path_patterns, policies
from tests.core.strategies import preferences as any_preferences

ALLOW, DISALLOW, UNKNOWN = Preference.ALLOW, Preference.DISALLOW, Preference.UNKNOWN
URL = "https://blog.example/page"

whole_policies = st.builds(
    dataclasses.replace,
    policies,
    tdm_policy_url=st.sampled_from([None, URL]),
    license_url=st.sampled_from([None, URL]),
    robots_base=st.one_of(st.none(), st.text(), st.binary()),
)


# Presets and the flag.


@pytest.mark.parametrize(
    ("preset", "statement"),
    [
        ("unset", ""),
        ("no-training", "train-ai=n"),
        ("no-ai", "train-ai=n, ai-use=n"),
        ("allow", "train-ai=y, ai-use=y"),
    ],
)
def test_each_preset_says_just_this(preset: Preset, statement: str) -> None:
    policy = SitePolicy.from_preset(preset, site="blog.example")
    assert str(policy.preferences) == statement
    assert policy.preset == preset
    assert policy.site == "blog.example"


def test_no_preset_speaks_of_search() -> None:
    """Search overrides the other categories (vocab-08): ``search=y`` is the owner's to say."""
    assert {preferences.search for preferences in PRESETS.values()} == {UNKNOWN}


def test_the_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["unset"] = Preferences(train_ai=ALLOW)  # type: ignore[index]


def test_preferences_that_no_preset_has_have_no_name() -> None:
    assert SitePolicy(site="", preferences=Preferences(search=DISALLOW)).preset is None


def test_an_opt_out_is_no_training() -> None:
    policy = SitePolicy.from_flag(True, site="Blog.Example:443")
    assert policy == SitePolicy.from_preset("no-training", site="blog.example")
    assert policy.opted_out


def test_without_an_opt_out_nothing_is_stated_or_granted() -> None:
    policy = SitePolicy.from_flag(False)
    assert policy == SitePolicy()
    assert not policy.effective
    assert not policy.opted_out


def test_a_policy_is_for_any_site_by_default() -> None:
    policy = SitePolicy.from_preset("no-ai", licensed=["GPTBot"])
    assert policy.site == ""
    assert policy.for_site("Blog.Example.") == SitePolicy.from_preset(
        "no-ai", site="blog.example", licensed=["GPTBot"]
    )
    with pytest.raises(PolicyError):
        policy.for_site("not a host")


# What holds in the end.


@pytest.mark.parametrize(
    ("preset", "visibility", "statement", "opted_out"),
    [
        ("unset", "public", "", False),
        ("allow", "public", "train-ai=y, ai-use=y", False),
        ("unset", "discouraged", "train-ai=n, search=n", True),
        ("no-ai", "discouraged", "train-ai=n, ai-use=n, search=n", True),
        ("allow", "discouraged", "train-ai=n, ai-use=y, search=n", True),
        ("unset", "private", "train-ai=n, ai-use=n, search=n", True),
        ("allow", "private", "train-ai=n, ai-use=n, search=n", True),
    ],
)
def test_a_visibility_says_something_by_itself(
    preset: Preset, visibility: VisibilityName, statement: str, opted_out: bool
) -> None:
    policy = SitePolicy.from_preset(preset, visibility=visibility)
    assert str(policy.effective) == statement
    assert policy.opted_out is opted_out
    assert policy.preferences == PRESETS[preset]  # what the owner said is kept for when it is public again


@given(policies)
def test_a_visibility_never_loosens_the_owners_preferences(policy: SitePolicy) -> None:
    for category, stated in policy.preferences:
        expected = DISALLOW if category in IMPLIED[policy.visibility] else stated
        assert policy.effective[category] is expected


def test_a_path_inherits_what_it_leaves_unknown() -> None:
    policy = SitePolicy(
        site="",
        preferences=Preferences(DISALLOW, DISALLOW, UNKNOWN),
        path_preferences=(("/open/", Preferences(train_ai=ALLOW)), ("/same/", Preferences())),
    )
    assert dict(policy.effective_paths) == {
        "/open/": Preferences(ALLOW, DISALLOW, UNKNOWN),
        "/same/": policy.preferences,
    }


def test_a_path_cannot_open_what_the_visibility_closes() -> None:
    open_path = (("/open/", Preferences(ALLOW, ALLOW, ALLOW)),)
    for visibility in (Visibility.DISCOURAGED, Visibility.PRIVATE):
        policy = SitePolicy(visibility=visibility, path_preferences=open_path)
        ((_, preferences),) = policy.effective_paths
        assert preferences.disallows(Category.TRAIN_AI)
        assert preferences.disallows(Category.SEARCH)


def test_an_inner_path_does_not_inherit_from_an_outer_one() -> None:
    policy = SitePolicy(
        path_preferences=(
            ("/a/", Preferences(train_ai=DISALLOW)),
            ("/a/b/", Preferences(ai_use=DISALLOW)),
        )
    )
    assert [(path, str(p)) for path, p in policy.effective_paths] == [
        ("/a/b/", "ai-use=n"),
        ("/a/", "train-ai=n"),
    ]


@given(policies)
def test_the_longest_path_comes_first_in_any_order_of_arguments(policy: SitePolicy) -> None:
    paths = [path for path, _ in policy.effective_paths]
    assert paths == sorted(paths, key=lambda path: (-len(path), path))
    other = dataclasses.replace(policy, path_preferences=tuple(reversed(policy.path_preferences)))
    assert other == policy
    assert hash(other) == hash(policy)


def test_two_spellings_of_one_path_both_hold() -> None:
    policy = SitePolicy(
        path_preferences=(
            ("/caf%c3%a9", Preferences(train_ai=DISALLOW, search=ALLOW)),
            ("/café", Preferences(train_ai=ALLOW, ai_use=DISALLOW)),
        )
    )
    assert policy.path_preferences == (("/caf%C3%A9", Preferences(DISALLOW, DISALLOW, ALLOW)),)


@given(st.dictionaries(path_patterns, any_preferences, max_size=4))
def test_a_mapping_of_paths_is_as_good_as_pairs(paths: dict[str, Preferences]) -> None:
    given_pairs = SitePolicy(path_preferences=tuple(paths.items()))
    assert SitePolicy.from_preset("unset", path_preferences=paths) == given_pairs
    assert len(given_pairs.path_preferences) == len(paths)


def test_a_policy_cannot_be_changed() -> None:
    policy = SitePolicy.from_flag(True)
    for field in dataclasses.fields(policy):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(policy, field.name, None)


def test_equal_policies_are_one_key() -> None:
    one = SitePolicy.from_preset(
        "no-ai", site="A.example", licensed=["gptbot", "CCBot", "GPTBot"], sitemaps=[URL]
    )
    other = SitePolicy.from_preset(
        "no-ai", site="a.example:80", licensed=("CCBot", "GPTBot"), sitemaps=[URL, URL]
    )
    assert {one: 1}[other] == 1


# The JSON form.


@given(whole_policies)
def test_what_is_written_as_json_is_read_back_the_same(policy: SitePolicy) -> None:
    assert SitePolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_the_json_form_leaves_out_what_says_nothing() -> None:
    assert SitePolicy.from_flag(True, site="blog.example").to_dict() == {
        "site": "blog.example",
        "preset": "no-training",
        "preferences": {"train-ai": "disallow"},
        "visibility": "public",
    }


def test_the_json_form_has_every_field() -> None:
    policy = SitePolicy(
        site="blog.example",
        preferences=Preferences(search=DISALLOW),
        visibility=Visibility.DISCOURAGED,
        licensed=("GPTBot",),
        path_preferences=(("/a", Preferences(ai_use=ALLOW)),),
        sitemaps=(URL,),
        tdm_policy_url=URL,
        license_url=URL,
        robots_base="User-agent: *\n",
        scope=Scope.BROAD,
    )
    assert policy.to_dict() == {
        "site": "blog.example",
        "preset": None,
        "preferences": {"search": "disallow"},
        "visibility": "discouraged",
        "licensed": ["GPTBot"],
        "path_preferences": {"/a": {"ai-use": "allow"}},
        "sitemaps": [URL],
        "tdm_policy_url": URL,
        "license_url": URL,
        "robots_base": "User-agent: *\n",
        "scope": "broad",
    }
    assert set(policy.to_dict()) == {field.name for field in dataclasses.fields(policy)} | {"preset"}


@pytest.mark.parametrize(
    ("source", "policy"),
    [
        ({}, SitePolicy()),
        ({"preset": "no-ai"}, SitePolicy.from_preset("no-ai")),
        ({"preset": "no-ai", "preferences": {}}, SitePolicy()),
        ({"preferences": {"train-ai": "disallow"}}, SitePolicy.from_preset("no-training")),
        ({"preset": "no-ai", "visibility": "private"}, SitePolicy.from_preset("no-ai", visibility="private")),
        ({"licensed": ["GPTBot", "TokenOfANewerTable"]}, SitePolicy(licensed=("GPTBot",))),
    ],
)
def test_the_json_form_may_be_written_by_hand(source: dict[str, Any], policy: SitePolicy) -> None:
    before = json.dumps(source)
    assert SitePolicy.from_dict(source) == policy
    assert json.dumps(source) == before


def test_the_scope_is_documented_by_default_and_the_default_is_left_out_of_json() -> None:
    assert SitePolicy.from_dict({"preset": "no-training"}).scope is Scope.DOCUMENTED
    assert "scope" not in SitePolicy.from_preset("no-training").to_dict()
    broad = SitePolicy.from_preset("no-training", scope="broad")
    assert SitePolicy.from_dict(broad.to_dict()) == broad
    assert broad.preset == "no-training"


@pytest.mark.parametrize("scope", ["wide", "", None, 1, [], "Broad"])
def test_an_unknown_scope_is_refused_with_the_choices(scope: object) -> None:
    with pytest.raises(PolicyError, match="choose one of documented, broad"):
        SitePolicy(scope=scope)  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="choose one of documented, broad"):
        SitePolicy.from_dict({"scope": scope})
