"""The feed: every change that concerns a partner, once, in order, and to be read again at any time."""

import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.errors import CursorError
from aipolicy.partners.feed import Feed, Page
from aipolicy.partners.ledger import Partner, Partners
from aipolicy.registry import Registry
from tests.partners.conftest import NewURL, add

SITE = "blog.example"


@pytest.fixture
def feed(partners: Partners) -> Feed:
    return Feed(partners)


@pytest.fixture
def partner(partners: Partners) -> Partner:
    return add(partners)[0]


def events(page: Page) -> list[dict[str, Any]]:
    return [json.loads(line) for line in page.lines]


def test_an_event_says_what_changed_and_what_is_asked(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    registry.put(SitePolicy(site=SITE), by="ada", hosts=["www.blog.example"])
    registry.put(SitePolicy.from_preset("no-training", site=SITE), by="ada")
    new, opted_out = events(feed.page(partner))
    assert (new["type"], new["action"], new["content_usage"]) == ("hosts-changed", "update-hosts", "")
    assert opted_out == {
        "seq": 2,
        "id": f"urn:aipolicy:{registry.registry_id}:2",
        "time": "2026-11-01T12:00:00Z",
        "type": "opted-out",
        "site": SITE,
        "hosts": [SITE, "www.blog.example"],
        "content_usage": "train-ai=n",
        "use": "ai-use",
        "permanent": False,
        "action": "stop-and-remove",
    }


def test_pages_of_any_size_are_the_whole_feed_and_each_can_be_read_again(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    chance = random.Random(1)
    for _ in range(40):
        preferences = chance.choice(list(PRESETS.values()))
        policy = SitePolicy(site=f"b{chance.randrange(5)}.example", preferences=preferences)
        registry.put(policy, by="ada")
    whole = feed.page(partner, limit=1000).lines
    for size in (1, 2, 7):
        cursor, read, cursors = None, list[bytes](), list[str | None]()
        while page := feed.page(partner, cursor, size):
            if not page.lines:
                break
            read += page.lines
            cursors.append(cursor)
            cursor = page.cursor
        assert read == whole
        again = feed.page(partner, cursors[1], size)
        assert again.lines == whole[size : 2 * size]


def test_the_last_event_of_each_site_is_its_state(registry: Registry, feed: Feed, partner: Partner) -> None:
    chance = random.Random(2)
    for _ in range(60):
        site = f"b{chance.randrange(4)}.example"
        preferences = chance.choice(list(PRESETS.values()))
        licensed = chance.choice([(), ("GPTBot",)])
        registry.put(SitePolicy(site=site, preferences=preferences, licensed=licensed), by="ada")
    state: dict[str, Any] = {}
    for event in events(feed.page(partner)):
        state[event["site"]] = (event["content_usage"], event["use"])
    sites = sorted(state)
    checked = list(feed.check(partner, sites))
    assert [(each["content_usage"], each["use"]) for each in checked] == [state[site] for site in sites]


def test_a_private_site_is_told_of_only_where_it_was_public(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    hidden = SitePolicy(site="hidden.example", visibility=Visibility.PRIVATE)
    registry.put(hidden, by="ada")
    registry.put(SitePolicy(site=SITE), by="ada")
    registry.put(SitePolicy(site=SITE, visibility=Visibility.PRIVATE), by="ada")
    page = feed.page(partner)
    assert [event["type"] for event in events(page)] == ["hosts-changed", "made-private"]
    assert b"hidden.example" not in page.body


def test_changes_that_do_not_concern_a_partner_are_no_events(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    registry.put(SitePolicy(site=SITE), by="ada")
    first = feed.page(partner)
    registry.put(SitePolicy(site=SITE, sitemaps=("https://blog.example/s.xml",)), by="ada")
    registry.put(SitePolicy(site=SITE, licensed=("CCBot",)), by="ada")
    page = feed.page(partner, first.cursor)
    assert (page.lines, page.after, page.upto) == ([], 1, 3)


@pytest.mark.parametrize("cursor", ["", "x", "a:b:c", "\x00", "é", "AAAA", "9" * 5000])
def test_an_invalid_cursor_is_refused_with_the_way_out(feed: Feed, partner: Partner, cursor: str) -> None:
    with pytest.raises(CursorError, match="read the feed again from its beginning"):
        feed.page(partner, cursor)


def test_a_cursor_of_another_registry_or_of_the_future_is_refused(
    registry: Registry, feed: Feed, partner: Partner, new_url: NewURL
) -> None:
    registry.put(SitePolicy(site=SITE), by="ada")
    registry.put(SitePolicy(site="other.example"), by="ada")
    cursor = feed.page(partner).cursor
    with Registry(new_url()) as other:
        others = Partners(other)
        with pytest.raises(CursorError, match="belongs to another registry"):
            Feed(others).page(add(others)[0], cursor)


def test_a_cursor_of_a_change_that_is_another_since_a_restore_is_refused(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    registry.put(SitePolicy(site=SITE), by="ada")
    registry.put(SitePolicy(site="other.example"), by="ada")
    parts = base64.urlsafe_b64decode(feed.page(partner).cursor).decode().split(":")
    for number, digest in (("2", parts[2][::-1]), ("3", parts[2]), ("-1", ""), ("99999999999999999999", "")):
        text = f"{parts[0]}:{number}:{digest}"
        with pytest.raises(CursorError, match="or another one, as after a restore"):
            feed.page(partner, base64.urlsafe_b64encode(text.encode()).decode())


def test_each_host_that_is_asked_about_has_a_line_in_its_order(
    registry: Registry, feed: Feed, partner: Partner
) -> None:
    registry.put(SitePolicy.from_preset("no-training", site=SITE), by="ada")
    registry.put(SitePolicy.from_preset("allow", site="open.example"), by="ada")
    registry.put(SitePolicy(site="silent.example"), by="ada")
    asked = ["BLOG.example.", "nobody.example", "open.example:443", "not a host", "silent.example", SITE]
    found = list(feed.check(partner, asked))
    assert [each["host"] for each in found] == asked
    assert [each["state"] for each in found] == [
        "opted-out",
        "unknown",
        "granted",
        "unknown",
        "unset",
        "opted-out",
    ]


def test_times_are_those_of_the_changes(registry: Registry, feed: Feed, partner: Partner) -> None:
    registry.put(SitePolicy(site=SITE), by="ada")
    (event,) = events(feed.page(partner))
    assert datetime.fromisoformat(event["time"]) == datetime(2026, 11, 1, 12, tzinfo=UTC)
