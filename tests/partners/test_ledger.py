"""The partners of a registry, their tokens, and what they were given."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import PartnerError, RegistryError, UnknownPartnerError
from aipolicy.partners.ledger import Partners
from aipolicy.registry import Registry
from tests.partners.conftest import Clock, add
from tests.registry.conftest import raw


def test_a_partner_is_there_as_it_was_added(partners: Partners, clock: Clock) -> None:
    added, token = partners.add(
        "openai",
        crawlers=["gptbot", "OAI-SearchBot"],
        contact="legal@openai.example",
        receives=["feed", "exports"],
        since=date(2026, 1, 1),
        deadline_days=45,
    )
    assert partners.get("openai") == partners.get("OpenAI") == added
    assert partners.all() == [added]
    assert added.crawlers == ("GPTBot", "OAI-SearchBot")
    assert added.receives == ("exports", "feed")
    assert added.added == clock.now
    assert partners.authenticate(token) == added


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "partner name ''"),
        ({"name": "a b"}, "partner name 'a b'"),
        ({"name": "x" * 65}, "1 to 64 letters"),
        ({"crawlers": []}, "at least one crawler"),
        ({"crawlers": "GPTBot"}, "at least one crawler"),
        ({"crawlers": ["NoSuchBot"]}, "'NoSuchBot' isn't in the crawler table"),
        ({"contact": " "}, "contact ' '"),
        ({"contact": "a\x1b[0m"}, "contact"),
        ({"receives": []}, "choose one or more of exports, feed, crawl"),
        ({"receives": ["post"]}, "receives is 'post'"),
        ({"since": date(2027, 1, 1)}, "2027-01-01, which is in the future"),
        ({"deadline_days": 0}, "deadline of 0 days"),
    ],
    ids=str,
)
def test_an_invalid_partner_is_refused_with_the_fix(
    partners: Partners, changes: dict[str, Any], message: str
) -> None:
    valid: dict[str, Any] = {
        "crawlers": ["GPTBot"],
        "contact": "legal@a.example",
        "receives": ["feed"],
        "since": date(2026, 1, 1),
    }
    changes = dict(changes)
    name = changes.pop("name", "a")
    with pytest.raises(PartnerError, match=message):
        partners.add(name, **(valid | changes))
    assert partners.all() == []


def test_a_name_is_used_once_in_any_case_and_for_ever(partners: Partners) -> None:
    add(partners)
    with pytest.raises(PartnerError, match="'OpenAI' is in use"):
        add(partners, "OpenAI")
    partners.remove("openai")
    with pytest.raises(PartnerError, match="was removed; its history stays"):
        add(partners)


def test_a_token_opens_its_partners_door_until_it_is_rotated_or_the_partner_removed(
    partners: Partners,
) -> None:
    one, first = add(partners)
    other, second = add(partners, "other", "CCBot")
    assert partners.authenticate(first) == one
    assert partners.authenticate(second) == other
    for wrong in ("", "aip_", first[:-1], first + "x", first.upper(), "\udcff"):
        assert partners.authenticate(wrong) is None
    rotated = partners.rotate_token("openai")
    assert partners.authenticate(first) is None
    assert partners.authenticate(rotated) == one
    partners.remove("openai")
    assert partners.authenticate(rotated) is None
    assert partners.authenticate(second) == other
    with pytest.raises(PartnerError, match="was removed on"):
        partners.rotate_token("openai")


def test_no_table_has_a_token(partners: Partners, url: str) -> None:
    _, token = add(partners)
    with raw(url) as connection:
        for (row,) in connection.execute(sqlalchemy.text("SELECT digest FROM partner_token")):
            assert token not in row
            assert len(row) == 64


def test_an_unknown_partner_is_an_error(partners: Partners) -> None:
    with pytest.raises(UnknownPartnerError, match="'nobody': see `aipolicy partners list`"):
        partners.get("nobody")


def test_a_partner_learned_of_a_change_with_the_first_answer_that_covers_it(
    partners: Partners, clock: Clock
) -> None:
    found, _ = add(partners)
    assert partners.learned(found, 5) is None
    partners.record_read(found, kind="feed", after=0, upto=4, events=3, digest="d")
    partners.record_read(found, kind="check", after=None, upto=9, events=1, digest="d")
    assert partners.learned(found, 5) is None
    clock.move(hours=1)
    partners.record_read(found, kind="feed", after=4, upto=9, events=3, digest="d")
    assert partners.learned(found, 5) == clock.now
    assert partners.learned(found, 4) == clock.now - timedelta(hours=1)
    assert [read.kind for read in partners.reads(found)] == ["feed", "check", "feed"]


def test_an_answer_with_no_event_covers_nothing_behind_its_cursor(partners: Partners) -> None:
    found, _ = add(partners)
    partners.record_read(found, kind="feed", after=5, upto=5, events=0, digest="d")
    assert partners.learned(found, 5) is None


def test_a_snapshot_covers_all_before_it(partners: Partners) -> None:
    found, _ = add(partners)
    partners.record_read(found, kind="snapshot", after=None, upto=7, events=7, digest="d")
    assert partners.learned(found, 1) is not None
    assert partners.learned(found, 8) is None


def test_an_export_is_recorded_with_its_sites(partners: Partners) -> None:
    found, _ = add(partners)
    number = partners.record_export(
        found, seq=3, manifest="/out/manifest.json", digest="d", shared=2, withheld=1, sites=[1, 2, 2]
    )
    (recorded,) = partners.exports(found)
    assert (recorded.id, recorded.seq, recorded.shared, recorded.withheld) == (number, 3, 2, 1)


def test_a_registry_of_0_1_gets_the_tables_and_keeps_everything(registry: Registry, url: str) -> None:
    registry.put(SitePolicy.from_preset("no-training", site="blog.example"), by="ada")
    with raw(url) as connection:
        before = set(sqlalchemy.inspect(connection).get_table_names())
    assert not any(name.startswith("partner") for name in before)
    add(Partners(registry))
    with Registry(url) as again:
        assert [partner.name for partner in Partners(again).all()] == ["openai"]
        assert again.get("blog.example") == registry.get("blog.example")


def test_tables_of_a_newer_version_are_refused(partners: Partners, registry: Registry, url: str) -> None:
    with raw(url) as connection:
        connection.execute(
            sqlalchemy.text("UPDATE meta SET value = '99' WHERE key = 'partner_schema_version'")
        )
    with pytest.raises(RegistryError, match="have version 99: upgrade aipolicy, which reads version 1"):
        Partners(registry)
