"""The history: numbered without a gap, ordered in time, append-only."""

import json

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry import Registry
from tests.registry.conftest import Clock, raw


def put_many(registry: Registry, count: int) -> None:
    for number in range(count):
        registry.put(SitePolicy.from_flag(number % 2 == 0, site=f"blog{number % 7}.example"), by="ada")


def test_changes_are_numbered_from_one_without_a_gap(registry: Registry) -> None:
    put_many(registry, 20)
    with pytest.raises(RegistryError):
        registry.put(SitePolicy(), by="ada")
    put_many(registry, 3)
    assert [change.seq for change in registry.changes()] == [*range(1, registry.seq + 1)]


def test_history_has_only_changes_of_the_site_oldest_first(registry: Registry, clock: Clock) -> None:
    puts = []
    for opted_out in (True, False, True):
        clock.move(hours=1)
        puts.append(registry.put(SitePolicy.from_flag(opted_out, site="blog.example"), by="ada"))
        registry.put(SitePolicy.from_flag(opted_out, site="other.example"), by="eve")
    assert registry.history("blog.example") == puts
    assert [change.policy.opted_out for change in puts] == [True, False, True]


def test_each_change_has_the_hosts_after_it(registry: Registry) -> None:
    policy = SitePolicy.from_flag(True, site="blog.example")
    for hosts in (["www.blog.example"], ["a.example", "b.example"], []):
        registry.put(policy, by="ada", hosts=hosts)
    assert [change.hosts[1:] for change in registry.history("blog.example")] == [
        ("www.blog.example",),
        ("a.example", "b.example"),
        (),
    ]


def test_times_never_decrease_even_if_the_clock_does(registry: Registry, clock: Clock) -> None:
    first = registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
    clock.move(days=-1)
    second = registry.put(SitePolicy.from_flag(False, site="blog.example"), by="ada")
    clock.move(days=2)
    third = registry.put(SitePolicy.from_flag(True, site="blog.example"), by="ada")
    assert (first.at, third.at) == (second.at, clock.now)


def test_a_latest_change_in_the_future_is_logged_once_and_puts_are_accepted(
    registry: Registry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = registry.put(SitePolicy.from_flag(False, site="blog.example"), by="ada").at
    clock.move(minutes=-59)
    registry.put(SitePolicy.from_flag(False, site="other.example"), by="ada")
    assert not caplog.messages
    clock.move(days=-365)
    for opted_out in (True, False):
        assert registry.put(SitePolicy.from_flag(opted_out, site="blog.example"), by="ada").at == ahead
        assert registry.put_many([SitePolicy.from_flag(opted_out, site="other.example")], by="ada") == 1
    (warning,) = caplog.messages
    assert "the latest change, 2, is dated 2026-11-01T12:00:00Z" in warning
    assert "this machine's clock says 2025-11-01T11:01:00Z" in warning
    assert "correct the clocks of all machines" in warning


def test_a_clock_without_a_time_zone_is_refused(url: str, clock: Clock) -> None:
    clock.now = clock.now.replace(tzinfo=None)
    with Registry(url, clock=clock) as registry:
        with pytest.raises(RegistryError, match="time zone"):
            registry.put(SitePolicy(site="blog.example"), by="ada")
        assert registry.seq == 0


@pytest.mark.parametrize(
    ("after", "limit"), [(0, None), (0, 0), (0, 5), (250, None), (95, 110), (249, 9), (900, 3)]
)
def test_changes_are_listed_after_a_number(registry: Registry, after: int, limit: int | None) -> None:
    put_many(registry, 250)
    expected = [*range(1, 251)][after:][:limit]
    assert [change.seq for change in registry.changes(after, limit)] == expected


def test_changes_include_those_made_during_the_iteration(registry: Registry) -> None:
    put_many(registry, 100)
    walk = registry.changes()
    first = next(walk)
    registry.put(SitePolicy.from_flag(True, site="late.example"), by="ada")
    assert [first.seq, *(change.seq for change in walk)] == [*range(1, 102)]


def test_a_change_in_json_has_its_time_in_utc(registry: Registry, clock: Clock) -> None:
    clock.move(microseconds=5)
    policy = SitePolicy.from_flag(True, site="blog.example")
    change = registry.put(policy, by="Zoë", hosts=["www.blog.example"])
    assert json.loads(json.dumps(change.to_dict())) == {
        "seq": 1,
        "at": "2026-11-01T12:00:00.000005Z",
        "by": "Zoë",
        "hosts": ["blog.example", "www.blog.example"],
        "policy": policy.to_dict(),
    }
    clock.move(microseconds=-5)
    later = registry.put(SitePolicy(site="other.example"), by="ada").to_dict()
    assert later["at"] == "2026-11-01T12:00:00.000005Z"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE change SET actor = 'nobody' WHERE seq = 1",
        "UPDATE change SET seq = 9 WHERE seq = 2",
        "DELETE FROM change WHERE seq = 2",
        "DELETE FROM change",
        "UPDATE host_history SET at = 0",
        "DELETE FROM host_history",
    ],
)
def test_history_is_append_only_for_other_programs(registry: Registry, url: str, statement: str) -> None:
    put_many(registry, 2)
    before = list(registry.changes())
    with pytest.raises(DBAPIError, match="append-only"), raw(url) as connection:
        connection.execute(sqlalchemy.text(statement))
    assert list(registry.changes()) == before


def test_a_row_of_the_history_cannot_be_replaced(registry: Registry, url: str) -> None:
    put_many(registry, 2)
    for table, key in (("change", "seq"), ("host_history", "host, at, seq")):
        statements = [
            f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({key}) DO UPDATE SET seq = 9"
        ]
        if url.startswith("sqlite"):  # its own, which fires no trigger of a deletion
            statements.append(f"REPLACE INTO {table} SELECT * FROM {table}")
        for statement in statements:
            with pytest.raises(DBAPIError, match="append-only"), raw(url) as connection:
                connection.execute(sqlalchemy.text(statement))
    assert registry.history("blog0.example")[0].by == "ada"


def test_a_policy_of_a_newer_version_is_an_error_that_names_its_site(registry: Registry, url: str) -> None:
    registry.put(SitePolicy(site="blog.example"), by="ada")
    with raw(url) as connection:
        newer = json.dumps({"preferences": {}, "visibility": "public", "watermark": True})
        connection.execute(sqlalchemy.text("UPDATE site SET policy = :text"), {"text": newer})
    with pytest.raises(RegistryError, match=r"'blog\.example'.*watermark.*upgrade"):
        registry.get("blog.example")
    with pytest.raises(RegistryError, match="upgrade"):
        list(registry.sites())
    assert registry.hosts("blog.example") == ("blog.example",)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"preferences": []}', '{"visibility": ["public"]}'])
def test_an_invalid_stored_policy_is_an_error_that_names_its_site(
    registry: Registry, url: str, text: str
) -> None:
    registry.put(SitePolicy(site="blog.example"), by="ada")
    with raw(url) as connection:
        connection.execute(sqlalchemy.text("UPDATE site SET policy = :text"), {"text": text})
    with pytest.raises(RegistryError, match=r"'blog\.example'"):
        registry.get("blog.example")
