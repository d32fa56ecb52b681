"""The use that a policy leaves to a partner, and the events of its changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.partners.entitlement import (
    Action,
    Entitlement,
    EventType,
    Use,
    action,
    entitlement,
    event_type,
)
from tests.core.strategies import policies

OPENAI = ("GPTBot", "OAI-SearchBot")
NO_TRAINING = SitePolicy.from_preset("no-training")
NO_AI = SitePolicy.from_preset("no-ai")
UNSET = SitePolicy()
ALLOW = SitePolicy.from_preset("allow")
PRIVATE = SitePolicy(visibility=Visibility.PRIVATE)
DISCOURAGED = SitePolicy(visibility=Visibility.DISCOURAGED)
TRAINING_LICENCE = SitePolicy.from_preset("no-ai", licensed=["GPTBot"])
SEARCH_LICENCE = SitePolicy.from_preset("no-ai", licensed=["OAI-SearchBot"])


@pytest.mark.parametrize(
    ("policy", "use", "content_usage", "opted_out", "granted"),
    [
        (UNSET, "all", "", False, False),
        (NO_TRAINING, "ai-use", "train-ai=n", True, False),
        (NO_AI, "none", "train-ai=n, ai-use=n", True, False),
        (SitePolicy(preferences=Preferences(ai_use=Preference.DISALLOW)), "train", "ai-use=n", False, False),
        (ALLOW, "all", "train-ai=y, ai-use=y", False, True),
        (DISCOURAGED, "ai-use", "train-ai=n, search=n", True, False),
        (PRIVATE, "none", "train-ai=n, ai-use=n, search=n", True, False),
        (TRAINING_LICENCE, "train", "train-ai=y, ai-use=n", False, True),
        (SEARCH_LICENCE, "ai-use", "train-ai=n, ai-use=y", True, False),
        (SitePolicy.from_preset("no-ai", licensed=["CCBot"]), "none", "train-ai=n, ai-use=n", True, False),
    ],
)
def test_the_use_that_a_policy_leaves(
    policy: SitePolicy, use: str, content_usage: str, opted_out: bool, granted: bool
) -> None:
    left = entitlement(policy, OPENAI)
    assert (left.use, left.content_usage) == (use, content_usage)
    assert (left.opted_out, left.granted) == (opted_out, granted)


def test_product_tokens_are_compared_in_any_case() -> None:
    assert entitlement(TRAINING_LICENCE, ["gptbot"]).licensed == ("GPTBot",)


PATHS = SitePolicy.from_dict(
    {"path_preferences": {"/open/": {"train-ai": "allow"}, "/open/not/": {"train-ai": "disallow"}}}
)


@pytest.mark.parametrize(
    ("path", "opted_out", "granted"),
    [
        ("/", False, False),
        ("/open/1", False, True),
        ("/open/not/1", True, False),
        ("/open/n%6Ft/1", True, False),
    ],
)
def test_a_path_has_its_own_preferences(path: str, opted_out: bool, granted: bool) -> None:
    left = entitlement(PATHS, OPENAI, path)
    assert (left.opted_out, left.granted) == (opted_out, granted)


def test_a_licence_takes_away_the_sites_no_but_not_a_paths() -> None:
    policy = SitePolicy.from_preset(
        "no-training", licensed=["GPTBot"], path_preferences={"/diary/": Preferences(Preference.DISALLOW)}
    )
    assert not entitlement(policy, OPENAI, "/post/1").opted_out
    assert entitlement(policy, OPENAI, "/diary/1").opted_out


@given(policies, st.sampled_from(["/", "/open/closed/x", "/private/press/a", "/post/1.jpg"]))
def test_a_no_is_only_ever_taken_away_by_a_licence(policy: SitePolicy, path: str) -> None:
    left = entitlement(policy, OPENAI, path)
    if not left.licensed:
        full = next((p for pattern, p in policy.effective_paths if _matches(pattern, path)), policy.effective)
        assert left.opted_out == full.disallows(Category.TRAIN_AI)
        assert left.granted == (full.train_ai is Preference.ALLOW)
    assert not (left.opted_out and left.granted)


def _matches(pattern: str, path: str) -> bool:
    from aipolicy.core.patterns import path_matches

    return path_matches(pattern, path)


E = EventType


@pytest.mark.parametrize(
    ("before", "after", "hosts_changed", "event", "asked"),
    [
        (None, UNSET, True, E.HOSTS_CHANGED, Action.UPDATE_HOSTS),
        (None, NO_TRAINING, True, E.OPTED_OUT, Action.STOP_AND_REMOVE),
        (None, ALLOW, True, E.OPTED_IN, Action.MAY_USE),
        (None, PRIVATE, True, None, None),
        (UNSET, NO_TRAINING, False, E.OPTED_OUT, Action.STOP_AND_REMOVE),
        (NO_TRAINING, UNSET, False, E.OPTED_IN, Action.NONE),
        (NO_TRAINING, ALLOW, False, E.OPTED_IN, Action.MAY_USE),
        (NO_TRAINING, NO_AI, False, E.OPTED_OUT, Action.STOP_AND_REMOVE),
        (
            UNSET,
            SitePolicy(preferences=Preferences(ai_use=Preference.DISALLOW)),
            False,
            E.OPTED_OUT,
            Action.STOP,
        ),
        (NO_AI, TRAINING_LICENCE, False, E.LICENSED, Action.MAY_USE),
        (TRAINING_LICENCE, NO_AI, False, E.LICENCE_WITHDRAWN, Action.STOP_AND_REMOVE),
        (NO_TRAINING, PRIVATE, False, E.MADE_PRIVATE, Action.STOP_AND_REMOVE),
        (PRIVATE, UNSET, False, E.MADE_PUBLIC, Action.NONE),
        (PRIVATE, NO_TRAINING, False, E.MADE_PUBLIC, Action.STOP_AND_REMOVE),
        (PRIVATE, ALLOW, False, E.MADE_PUBLIC, Action.MAY_USE),
        (UNSET, None, True, E.DELETED, Action.STOP_AND_REMOVE),
        (UNSET, UNSET, True, E.HOSTS_CHANGED, Action.UPDATE_HOSTS),
        (NO_AI, NO_AI, True, E.HOSTS_CHANGED, Action.UPDATE_HOSTS),
        (UNSET, UNSET, False, None, None),
        (PRIVATE, PRIVATE, True, None, None),
        (None, None, False, None, None),
    ],
)
def test_the_event_of_a_change(
    before: SitePolicy | None,
    after: SitePolicy | None,
    hosts_changed: bool,
    event: EventType | None,
    asked: Action | None,
) -> None:
    was, now = _entitlement(before), _entitlement(after)
    assert event_type(was, now, hosts_changed=hosts_changed) == event
    if event:
        assert action(event, was, now) == asked


def _entitlement(policy: SitePolicy | None) -> Entitlement | None:
    return None if policy is None else entitlement(policy, OPENAI)


@given(policies, policies)
def test_whatever_a_partner_must_know_is_an_event(before: SitePolicy, after: SitePolicy) -> None:
    was, now = entitlement(before, OPENAI), entitlement(after, OPENAI)
    event = event_type(was, now, hosts_changed=False)
    assert (event is None) == (was == now)
    if event and now.use is Use.NONE:
        assert action(event, was, now) is Action.STOP_AND_REMOVE
