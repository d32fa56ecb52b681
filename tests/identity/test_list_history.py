"""The history of address lists."""

import random
from dataclasses import replace
from datetime import date, timedelta
from ipaddress import ip_address

import pytest

from aipolicy.errors import RangesError
from aipolicy.identity import AddressList, Identity, IdentityChecker, Ranges, packaged_ranges
from aipolicy.identity.list_history import HISTORY, MAX_REMOVED, merged, tokens_of, with_reading
from aipolicy.identity.operator_lists import LIST_MARGIN, LIST_MAX_AGE
from aipolicy.identity.prefixes import networks

VERIFIED, OPERATOR, SPOOFED, UNVERIFIABLE, FAILED = Identity

URL = "https://openai.com/gptbot.json"
SEVERAL = tuple(f"https://openai.com/{name}.json" for name in ("chatgpt-user", "gptbot", "searchbot"))
FIRST = date(2026, 6, 1)
DAY = timedelta(days=1)
OLD, LASTING, NEW = "132.196.86.9", "20.125.66.81", "74.7.227.5"


def reading(
    day: date, *prefixes: str, urls: tuple[str, ...] = (URL,), superseded: date | None = None
) -> AddressList:
    nets = networks(prefixes, "OpenAI")
    return AddressList(urls, "OpenAI", tokens_of(urls), day, urls[0], superseded, nets)


def read(*readings: AddressList) -> Ranges:
    ranges = Ranges(readings[:1])
    for each in readings[1:]:
        ranges = with_reading(ranges, each)
    return ranges


@pytest.fixture
def history() -> IdentityChecker:
    """Lists read on the first and the hundredth day: one address was removed, one stayed, one is new."""
    return IdentityChecker(read(reading(FIRST, OLD, LASTING), reading(FIRST + 100 * DAY, LASTING, NEW)))


@pytest.mark.parametrize(
    ("address", "days", "identity"),
    [
        (LASTING, -500, VERIFIED),
        (LASTING, 50, VERIFIED),
        (LASTING, 500, VERIFIED),
        (OLD, -500, VERIFIED),  # nothing says that it wasn't
        (OLD, 0, VERIFIED),
        (OLD, 99, VERIFIED),  # in between it is in its favour
        (OLD, 114, VERIFIED),
        (OLD, 115, UNVERIFIABLE),
        (NEW, -14, VERIFIED),
        (NEW, -15, UNVERIFIABLE),
        (NEW, 1, VERIFIED),
        (NEW, 100, VERIFIED),
        ("8.8.8.8", 0, SPOOFED),
        ("8.8.8.8", 190, SPOOFED),
        ("8.8.8.8", 191, UNVERIFIABLE),  # it may have come into the list since the last reading, long before
        ("8.8.8.8", -14, SPOOFED),
        ("8.8.8.8", -15, UNVERIFIABLE),  # a list that is newer by far accuses nobody
    ],
)
def test_a_request_is_checked_against_the_lists_of_its_day(
    history: IdentityChecker, address: str, days: int, identity: Identity
) -> None:
    assert history.identify("GPTBot", address, FIRST + days * DAY) is identity


def test_the_default_day_is_that_of_the_newest_list(history: IdentityChecker) -> None:
    assert history.newest == FIRST + 100 * DAY
    assert history.identify("GPTBot", OLD) is VERIFIED
    later = IdentityChecker(with_reading(history.ranges, reading(FIRST + 120 * DAY, LASTING, NEW)))
    assert later.identify("GPTBot", OLD) is UNVERIFIABLE
    assert later.identify("GPTBot", NEW) is VERIFIED


def test_many_days_are_checked_at_once(history: IdentityChecker) -> None:
    claims = [("GPTBot", address, FIRST + days * DAY) for address in (OLD, NEW) for days in (-20, 50, 150)]
    found = history.identify_all(claims)
    assert found == {claim: history.identify(*claim) for claim in claims}
    assert list(found.values()) == [VERIFIED, VERIFIED, UNVERIFIABLE, UNVERIFIABLE, VERIFIED, VERIFIED]


def test_the_answer_agrees_with_a_model_of_the_readings() -> None:
    """Compare random readings with the rule, for each address and day."""
    rng = random.Random(3)
    addresses = [f"8.8.{n}.7" for n in range(12)]
    for _ in range(30):
        days = sorted(rng.sample(range(120), rng.randint(1, 8)))
        held = [set(rng.sample(addresses, rng.randint(1, 10))) for _ in days]
        readings = [reading(FIRST + day * DAY, *had) for day, had in zip(days, held, strict=True)]
        identities = IdentityChecker(read(*readings))
        for address in addresses:
            for day in range(-40, 180, 3):
                found = identities.identify("GPTBot", address, FIRST + day * DAY)
                assert found is _expected(address, day, days, held), (address, day, days, held)


def _expected(address: str, day: int, days: list[int], held: list[set[str]]) -> Identity:
    if not any(address in had for had in held):
        return SPOOFED if days[0] - LIST_MARGIN.days <= day <= days[-1] + LIST_MAX_AGE.days else UNVERIFIABLE
    for at, had in enumerate(held):
        if address not in had:
            continue
        lacking_before = [d for d, other in zip(days[:at], held[:at], strict=True) if address not in other]
        lacking_after = [d for d, other in zip(days[at:], held[at:], strict=True) if address not in other]
        begins = lacking_before[-1] if lacking_before else -1000
        ends = lacking_after[0] if lacking_after else 1000
        if begins - LIST_MARGIN.days <= day <= ends + LIST_MARGIN.days:
            return VERIFIED
    return UNVERIFIABLE


def test_a_history_survives_a_round_trip(history: IdentityChecker) -> None:
    assert Ranges.from_json(history.ranges.to_json()) == history.ranges


def test_an_unchanged_list_only_gets_a_new_day() -> None:
    before = read(reading(FIRST, OLD, LASTING))
    (after,) = with_reading(before, reading(FIRST + DAY, OLD, LASTING)).lists
    assert (after.date, after.since, after.prefixes) == (FIRST + DAY, FIRST, before.lists[0].prefixes)


def test_an_older_reading_changes_nothing() -> None:
    ranges = read(reading(FIRST, LASTING))
    assert with_reading(ranges, reading(FIRST - DAY, NEW)) == ranges


def test_a_prefix_that_grows_counts_at_all_times() -> None:
    identities = IdentityChecker(
        read(reading(FIRST, "20.171.206.0/24"), reading(FIRST + 90 * DAY, "20.171.206.0/23"))
    )
    for days in (0, 89, 90, 300):
        assert identities.identify("GPTBot", "20.171.206.7", FIRST + days * DAY) is VERIFIED
    assert identities.identify("GPTBot", "20.171.207.7", FIRST + 300 * DAY) is VERIFIED


def test_after_a_superseded_copy_only_the_new_list_proves_a_forgery() -> None:
    """The contents between two readings are not known."""
    copy = reading(FIRST, LASTING, superseded=FIRST + 10 * DAY)
    identities = IdentityChecker(read(copy, reading(FIRST + 100 * DAY, LASTING)))
    assert identities.identify("GPTBot", "8.8.8.8", FIRST + 50 * DAY) is UNVERIFIABLE
    assert identities.identify("GPTBot", "8.8.8.8", FIRST + 90 * DAY) is SPOOFED


def test_a_combined_copy_ends_after_separate_readings() -> None:
    ranges = read(reading(FIRST, OLD, LASTING, urls=SEVERAL))
    day = FIRST + 30 * DAY
    for url in SEVERAL[:2]:
        ranges = with_reading(ranges, reading(day, LASTING, urls=(url,)))
    assert IdentityChecker(ranges).identify("GPTBot", OLD, day + 100 * DAY) is OPERATOR
    identities = IdentityChecker(with_reading(ranges, reading(day, NEW, urls=SEVERAL[2:])))
    assert identities.identify("GPTBot", OLD, day) is OPERATOR
    assert identities.identify("GPTBot", OLD, day + 100 * DAY) is UNVERIFIABLE
    assert identities.identify("GPTBot", "8.8.8.8", FIRST) is SPOOFED  # as the copy of all had it
    assert {each.urls for each in identities.lists} == {(url,) for url in SEVERAL}


def test_prefixes_removed_long_ago_are_dropped() -> None:
    ranges = read(reading(FIRST, OLD, LASTING), reading(FIRST + DAY, LASTING, NEW))
    assert len(ranges.lists) == 3
    (left,) = with_reading(ranges, reading(FIRST + DAY + HISTORY + DAY, LASTING, NEW)).lists
    assert left.came is None
    assert len(left.prefixes) == 2


def test_the_history_of_a_list_that_changes_daily_is_bounded() -> None:
    def all_of(day: int) -> list[str]:
        return [f"{20 + day}.{n // 100}.{n % 100}.1" for n in range(900)]

    ranges = read(*(reading(FIRST + day * DAY, *all_of(day)) for day in range(20)))
    gone = [each for each in ranges.lists if each.gone is not None]
    assert sum(len(each.prefixes) for each in gone) == MAX_REMOVED
    assert max(each.gone for each in gone if each.gone) == FIRST + 19 * DAY  # the newest are kept


def test_only_a_newer_packaged_copy_counts() -> None:
    snapshot = packaged_ranges()
    assert merged(snapshot, snapshot) == snapshot
    fresh = with_reading(snapshot, reading(date(2026, 11, 1), NEW))
    assert merged(fresh, snapshot) == fresh
    stale = Ranges((reading(FIRST, OLD), *(each for each in snapshot.lists if each.operator == "Google")))
    found = merged(stale, snapshot)
    assert {each.urls for each in found.current} >= {each.urls for each in snapshot.lists}
    assert IdentityChecker(found).identify("GPTBot", OLD, FIRST) is VERIFIED
    assert IdentityChecker(found).identify("GPTBot", NEW, date(2026, 10, 4)) is VERIFIED


def test_a_list_has_the_tokens_of_the_current_crawler_table() -> None:
    (each,) = merged(
        Ranges((AddressList((URL,), "OpenAI", ("Gone",), FIRST, URL, None, networks([OLD])),)),
        Ranges((reading(FIRST, OLD),)),
    ).lists
    assert each.tokens == ("GPTBot",)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_earliest_and_latest_days_are_accepted(history: IdentityChecker, day: date) -> None:
    assert history.identify("GPTBot", "8.8.8.8", day) in (SPOOFED, UNVERIFIABLE)
    assert history.identify("GPTBot", LASTING, day) is VERIFIED
    assert ip_address(LASTING) in history.evidence("GPTBot", LASTING, day).matches[0].prefix


def test_lists_without_any_prefix_are_refused() -> None:
    (only,) = read(reading(FIRST, OLD)).lists
    with pytest.raises(RangesError, match="no address list"):
        Ranges((replace(only, gone=FIRST),))
