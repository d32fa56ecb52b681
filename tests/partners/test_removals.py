"""Removal requests: opened by an owner's no, answered by partners, withdrawn by an opt-in."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import PartnerError, UnknownPartnerError, UnknownRemovalError, UnknownSiteError
from aipolicy.partners.ledger import Partners
from aipolicy.partners.removals import Removals
from aipolicy.registry import Registry
from tests.partners.conftest import Clock, add

SITE = "blog.example"
UNSET, OPTED_OUT = (SitePolicy.from_preset(name, site=SITE) for name in ("unset", "no-training"))
LICENSED = SitePolicy.from_preset("no-training", site=SITE, licensed=["GPTBot"])
PRIVATE = SitePolicy(site=SITE, visibility=Visibility.PRIVATE)
NO = Preferences(Preference.DISALLOW)


def put(registry: Registry, *policies: SitePolicy) -> None:
    for policy in policies:
        registry.put(policy, by="ada")


def states(removals: Removals, clock: Clock) -> list[tuple[str, str | None, str, str]]:
    return [
        (one.partner, one.path, one.reason, one.state(clock.now))
        for one in sorted(removals.find(), key=lambda one: (one.partner, one.path or "", one.seq))
    ]


def test_an_opt_out_asks_each_partner_that_may_hold_the_content(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners, "crawls", "GPTBot", receives="crawl")
    add(partners, "follows", "CCBot", receives="feed")
    add(partners, "exports", "ClaudeBot", receives="exports")
    put(registry, UNSET, OPTED_OUT)
    assert states(removals, clock) == [
        ("crawls", None, "opted-out", "requested"),
        ("follows", None, "opted-out", "requested"),
    ]


def test_an_export_makes_its_partner_a_holder(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    found, _ = add(partners, "exports", "ClaudeBot", receives="exports")
    put(registry, UNSET)
    site_id = 1
    partners.record_export(
        found, seq=registry.seq, manifest="m", digest="d", shared=1, withheld=0, sites=[site_id]
    )
    put(registry, OPTED_OUT)
    assert states(removals, clock) == [("exports", None, "opted-out", "requested")]


def test_opting_in_again_withdraws_the_request_and_opting_out_again_opens_another(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, UNSET, OPTED_OUT)
    removals.examine()
    put(registry, UNSET)
    assert [state for *_, state in states(removals, clock)] == ["withdrawn"]
    put(registry, OPTED_OUT)
    assert [state for *_, state in states(removals, clock)] == ["withdrawn", "requested"]


def test_a_licence_withdraws_it_for_the_licensed_partner_alone(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners, "licensed", "GPTBot")
    add(partners, "other", "CCBot")
    put(registry, OPTED_OUT, LICENSED)
    assert states(removals, clock) == [
        ("licensed", None, "opted-out", "withdrawn"),
        ("other", None, "opted-out", "requested"),
    ]


def test_a_private_site_is_to_be_removed(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, UNSET, PRIVATE)
    assert states(removals, clock) == [("openai", None, "made-private", "requested")]


def test_a_stricter_no_is_not_asked_twice(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, UNSET, OPTED_OUT, SitePolicy.from_preset("no-ai", site=SITE), PRIVATE)
    assert len(states(removals, clock)) == 1


def test_a_path_is_asked_for_by_itself_and_stays_asked_when_the_site_follows(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    diary = SitePolicy(site=SITE, path_preferences=(("/diary/", NO),))
    put(registry, UNSET, diary)
    assert states(removals, clock) == [("openai", "/diary/", "opted-out", "requested")]
    put(registry, OPTED_OUT, diary)
    assert states(removals, clock) == [
        ("openai", None, "opted-out", "withdrawn"),
        ("openai", "/diary/", "opted-out", "requested"),
    ]
    put(registry, UNSET)
    assert {state for *_, state in states(removals, clock)} == {"withdrawn"}


def test_a_partner_is_asked_for_what_was_opted_out_since_its_first_day(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    put(registry, OPTED_OUT)
    clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    add(partners, "early", "GPTBot", since="2026-02-01")
    add(partners, "late", "GPTBot", since="2026-04-01")
    assert [partner for partner, *_ in states(removals, clock)] == ["early"]


def test_a_request_is_completed_when_both_obligations_have_an_outcome(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, OPTED_OUT)
    (one,) = removals.find(state="requested")
    expected = date(2026, 11, 20)
    removals.answer(
        one.id, obligation="past", outcome="acknowledged", expected_completion=expected, by="openai"
    )
    assert removals.get(one.id).state(clock.now) == "acknowledged"
    removals.answer(
        one.id, obligation="past", outcome="removed", dataset_version="v7", reference="T-1", by="openai"
    )
    assert removals.get(one.id).state(clock.now) == "acknowledged"
    answered = removals.answer(f"urn:uuid:{one.id}", obligation="future", outcome="excluded", by="openai")
    assert answered.state(clock.now) == "completed"
    assert [answer.outcome for answer in answered.answers] == ["acknowledged", "removed", "excluded"]
    assert answered.outcomes["past"].dataset_version == "v7"


def test_the_same_answer_again_changes_nothing_and_another_one_amends(
    registry: Registry, partners: Partners, removals: Removals
) -> None:
    add(partners)
    put(registry, OPTED_OUT)
    (one,) = removals.find()
    for outcome in ("removed", "removed", "not_found", "removed"):
        removals.answer(one.id, obligation="past", outcome=outcome, by="openai")
    assert [answer.outcome for answer in removals.get(one.id).answers] == ["removed", "not_found", "removed"]


def test_a_request_that_nobody_completes_is_overdue(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, OPTED_OUT)
    (one,) = removals.find()
    assert one.due - one.opened == timedelta(days=30)
    clock.now = one.due
    assert removals.find(state="overdue") == []
    clock.move(seconds=1)
    assert [found.id for found in removals.find(state="overdue")] == [one.id]


@pytest.mark.parametrize(
    ("obligation", "outcome", "reason", "message"),
    [
        ("now", "removed", None, "obligation 'now' is unknown: choose past or future"),
        ("past", "excluded", None, "outcome 'excluded' is unknown for 'past'"),
        ("future", "removed", None, "outcome 'removed' is unknown for 'future'"),
        ("past", "exempt", None, "needs a reason"),
        ("past", "exempt", "a\x00", "reason is invalid"),
    ],
)
def test_an_invalid_answer_is_refused_and_nothing_is_recorded(
    registry: Registry,
    partners: Partners,
    removals: Removals,
    obligation: str,
    outcome: str,
    reason: str | None,
    message: str,
) -> None:
    add(partners)
    put(registry, OPTED_OUT)
    (one,) = removals.find()
    with pytest.raises(PartnerError, match=message):
        removals.answer(one.id, obligation=obligation, outcome=outcome, reason=reason, by="openai")
    assert removals.get(one.id).answers == ()


def test_another_partners_request_is_not_found(
    registry: Registry, partners: Partners, removals: Removals
) -> None:
    add(partners)
    add(partners, "other", "CCBot", receives="exports")
    put(registry, OPTED_OUT)
    (one,) = removals.find()
    for id_, name in ((one.id, "other"), ("0" * 36, "openai"), ("", "openai")):
        with pytest.raises(UnknownRemovalError, match="there is no removal request"):
            removals.answer(id_, obligation="past", outcome="removed", by=name, partner_name=name)


def test_single_posts_are_asked_for_by_site(
    registry: Registry, partners: Partners, removals: Removals, clock: Clock
) -> None:
    add(partners)
    put(registry, UNSET)
    registry.put(SitePolicy(site="other.example"), by="ada")
    posts = [("Blog.example", "1"), ("blog.example.", "2"), ("other.example", "3"), (SITE, "1")]
    assert removals.open_for_posts("openai", posts, reason="premium since") == 2
    found = {one.site: one.posts for one in removals.find()}
    assert found == {SITE: ("1", "2"), "other.example": ("3",)}
    put(registry, OPTED_OUT, UNSET)
    removals.examine()
    assert {one.state(clock.now) for one in removals.find() if one.posts} == {"requested"}


def test_posts_of_an_unknown_host_are_refused_as_a_whole(
    registry: Registry, partners: Partners, removals: Removals
) -> None:
    add(partners)
    put(registry, UNSET)
    with pytest.raises(UnknownSiteError, match=r"no site has the host 'nobody\.example'"):
        removals.open_for_posts("openai", [(SITE, "1"), ("nobody.example", "2")], reason="wrongly shared")
    assert removals.find() == []
    with pytest.raises(UnknownPartnerError, match="'nobody'"):
        removals.open_for_posts("nobody", [(SITE, "1")], reason="wrongly shared")
