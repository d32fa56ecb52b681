"""Addresses of an operator with several crawlers, with packaged and with updated lists."""

import datetime as dt
import ipaddress
from dataclasses import replace
from itertools import product

import pytest

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.identity import AddressList, Identity, Ranges, Resolver, Verification, VerificationResult
from aipolicy.identity.list_history import with_reading
from aipolicy.identity.operator_lists import packaged_ranges
from tests.identity.address_lists import CHATGPT, GPTBOT, OWN, RANGES, UNLISTED, address_list
from tests.identity.dns_server import DNSServer
from tests.identity.signatures.signing import Clock

CHATGPT_LIST, SEARCH_LIST = "https://openai.com/chatgpt-user.json", "https://openai.com/searchbot.json"
READ, DAY = dt.date(2026, 10, 4), dt.timedelta(days=1)
UNTOLD = (
    "its operator publishes its address, but the known copy of its lists doesn't say for which of its "
    "crawlers (`aipolicy crawlers update` reads each list by itself)"
)


def on(day: dt.date) -> Clock:
    return Clock(dt.datetime.combine(day, dt.time(12), dt.UTC).timestamp())


def verify(ranges: Ranges, token: str, address: str, day: dt.date = READ) -> VerificationResult:
    return Verification(ranges, dns=False, clock=on(day)).verify(token, address)


def packaged(*urls: str) -> AddressList:
    (found,) = (each for each in packaged_ranges().lists if each.urls == urls)
    return found


def inside(published: AddressList, but: AddressList | None = None) -> list[str]:
    """Return an address of each prefix that the other list lacks."""
    others = () if but is None else but.prefixes
    firsts = [net[0] for net in published.prefixes]
    return [str(address) for address in firsts if not any(address in net for net in others)]


@pytest.mark.parametrize("url", [CHATGPT_LIST, SEARCH_LIST])
def test_an_address_of_another_crawler_of_the_operator_does_not_count(url: str) -> None:
    """The package combines all three lists, so that the crawler is not known."""
    verification = Verification(packaged_ranges(), dns=False, clock=on(READ))
    addresses = inside(packaged(url), but=packaged(OWN))
    assert len(addresses) > 20
    for address in addresses:
        result = verification.verify("GPTBot", address)
        assert (result.identity, result.counts) == (Identity.OPERATOR_VERIFIED, False), address


def test_an_address_in_the_crawlers_packaged_list_counts_even_if_shared() -> None:
    verification = Verification(packaged_ranges(), dns=False, clock=on(READ))
    seen = set()
    for crawler, published in product(CRAWLERS, packaged_ranges().lists):
        if set(crawler.ranges).issuperset(published.urls):
            seen.add(crawler.product_token)
            for address in inside(published):
                assert verification.verify(crawler.product_token, address).counts, (crawler, address)
    assert {"GPTBot", "DuckAssistBot", "DuckDuckBot", "OAI-SearchBot"} <= seen


def read_anew(*others: AddressList) -> Ranges:
    """Return the packaged lists after separate readings of these URLs only."""
    ranges = packaged_ranges()
    for each in others:
        ranges = with_reading(ranges, replace(each, date=READ + DAY, superseded=None))
    return ranges


def test_a_shared_address_counts_after_an_update_of_the_other_list() -> None:
    ranges = read_anew(packaged(CHATGPT_LIST), packaged(SEARCH_LIST))
    own, others = inside(packaged(OWN)), inside(packaged(SEARCH_LIST))
    assert set(inside(packaged(OWN), but=packaged(SEARCH_LIST))) < set(own)  # they do share some
    assert all(verify(ranges, "GPTBot", address, READ + DAY).counts for address in own)
    assert all(verify(ranges, "OAI-SearchBot", address, READ + DAY).counts for address in others)


def test_an_address_later_added_to_another_crawlers_list_does_not_count() -> None:
    """The list of the first crawler was last read before that."""
    chatgpt, moved = packaged(CHATGPT_LIST), packaged(OWN).prefixes[0]
    ranges = read_anew(replace(chatgpt, prefixes=(*chatgpt.prefixes, moved)))
    result = verify(ranges, "GPTBot", str(moved[0]), READ + DAY)
    assert (result.identity, result.counts) == (Identity.OPERATOR_VERIFIED, False)
    assert verify(ranges, "ChatGPT-User", str(moved[0]), READ + DAY).counts
    reload = with_reading(ranges, replace(packaged(OWN), date=READ + DAY, superseded=None))
    assert verify(reload, "GPTBot", str(moved[0]), READ + DAY).counts


def test_an_address_only_in_a_combined_copy_is_reported() -> None:
    copy = packaged(CHATGPT_LIST, OWN, SEARCH_LIST)
    single = [packaged(url) for url in (CHATGPT_LIST, OWN, SEARCH_LIST)]
    nets = [net for each in single for net in each.prefixes]
    address = next(str(net[0]) for net in copy.prefixes if not any(net[0] in other for other in nets))
    result = verify(packaged_ranges(), "GPTBot", address)
    assert (result.identity, result.counts, result.reason) == (
        Identity.OPERATOR_VERIFIED,
        False,
        UNTOLD,
    )
    # Once its own list was read, the copy has no more to say of it.
    fresh = replace(packaged(OWN), date=READ + DAY, superseded=None)
    result = verify(with_reading(packaged_ranges(), fresh), "GPTBot", address, READ + DAY)
    assert (result.identity, result.counts) == (Identity.OPERATOR_VERIFIED, False)
    assert result.reason == "its operator publishes its address, for others of its crawlers"


def test_an_address_moved_to_another_crawlers_list_counts_for_that_crawler() -> None:
    moved = ipaddress.ip_network("132.196.86.0/28")
    (own,), (other,) = RANGES.of_url(OWN), RANGES.of_url(CHATGPT_LIST)
    day = own.date + DAY
    ranges = with_reading(RANGES, replace(own, date=day, prefixes=own.prefixes[1:]))
    assert verify(ranges, "GPTBot", GPTBOT, day).counts  # it may still be on its way out
    ranges = with_reading(ranges, replace(other, date=day, prefixes=(*other.prefixes, moved)))
    result = verify(ranges, "GPTBot", GPTBOT, day)
    assert (result.identity, result.counts) == (Identity.OPERATOR_VERIFIED, False)
    assert verify(ranges, "ChatGPT-User", GPTBOT, day).counts


def test_a_removed_prefix_stops_counting() -> None:
    """The current day counts, not the day of the last reading."""
    (own,) = RANGES.of_url(OWN)
    ranges = with_reading(RANGES, replace(own, date=own.date + DAY, prefixes=own.prefixes[1:]))
    assert verify(ranges, "GPTBot", GPTBOT, own.date + 15 * DAY).counts
    result = verify(ranges, "GPTBot", GPTBOT, own.date + 16 * DAY)
    assert (result.identity, result.counts) == (Identity.UNVERIFIABLE, False)


def test_dns_results_are_for_the_current_day(server: DNSServer, resolver: Resolver) -> None:
    bing = address_list(
        "https://www.bing.com/toolbox/bingbot.json", "Microsoft", ["bingbot"], "157.55.39.0/24"
    )
    gone = replace(bing, prefixes=(ipaddress.ip_network("40.77.167.0/24"),), gone=bing.date)
    server.pointer("40.77.167.9", "host.example")
    verification = Verification(Ranges((bing, gone)), resolver=resolver, clock=on(bing.date + 30 * DAY))
    for _ in range(2):
        result = verification.verify("bingbot", "40.77.167.9")
        verification.wait_until_idle()
    assert (result.identity, result.counts) == (Identity.UNVERIFIABLE, False)


def test_old_lists_prove_no_forgery() -> None:
    (own,) = RANGES.of_url(OWN)
    assert verify(RANGES, "GPTBot", UNLISTED, own.date + 90 * DAY).identity is Identity.SPOOFED
    result = verify(RANGES, "GPTBot", UNLISTED, own.date + 91 * DAY)
    assert (result.identity, result.reason) == (
        Identity.UNVERIFIABLE,
        "the known copy of its operator's lists is too old; run `aipolicy crawlers update`",
    )
    assert verify(RANGES, "GPTBot", GPTBOT, own.date + 91 * DAY).counts
    assert not verify(RANGES, "GPTBot", CHATGPT, own.date + 91 * DAY).counts


def test_a_nat64_address_is_read_as_its_ipv4_address() -> None:
    (own,) = RANGES.of_url(OWN)
    assert verify(RANGES, "GPTBot", f"64:ff9b::{GPTBOT}", own.date).counts
    assert verify(RANGES, "GPTBot", f"64:ff9b::{UNLISTED}", own.date).identity is Identity.SPOOFED
    assert verify(RANGES, "GPTBot", "64:ff9b::10.0.0.1", own.date).identity is Identity.CHECK_FAILED
