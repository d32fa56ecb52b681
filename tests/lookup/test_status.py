"""The status of a lookup, which costs a hit nothing."""

import sqlite3
from contextlib import closing

import pytest

from tests.lookup.harness import NO_AI, UNSET, CachedSource, LocalSource, Source, answer


async def test_what_is_remembered_and_what_was_read_is_counted(source: Source) -> None:
    for host in ("a.example", "b.example"):
        source.put(host, NO_AI)
    lookup = source.lookup(maxsize=50)
    for host in ("a.example", "a.example", "b.example", "nobody.example", "nobody.example", "A.example"):
        await answer(lookup, host)
    status = lookup.status()
    assert (status.sites, status.maxsize, status.unknown_hosts, status.misses) == (2, 50, 1, 3)
    assert (status.error, status.last_error, status.last_error_age) == ("", "", None)


async def test_the_hit_ratio_is_reported_where_hits_are_counted(source: Source) -> None:
    source.put("a.example", NO_AI)
    lookup = source.lookup(count_hits=True)
    assert lookup.status().hit_ratio is None
    for host in ("a.example", "a.example", "A.example", "nobody.example"):
        await answer(lookup, host)
    status = lookup.status()
    assert (status.requests, status.misses, status.hit_ratio) == (4, 2, 0.5)
    uncounted = source.lookup()
    await answer(uncounted, "a.example")
    assert (uncounted.status().requests, uncounted.status().hit_ratio) == (None, None)


async def test_an_error_is_reported_while_it_lasts_and_as_the_last_error_after_it(source: Source) -> None:
    source.put("a.example", UNSET)
    lookup = source.lookup()
    await answer(lookup, "a.example")
    source.fail()
    source.pass_freshness()
    await answer(lookup, "a.example")
    status = lookup.status()
    assert status.error
    assert status.error == status.last_error
    assert status.last_error_age == 0
    assert status.refresh_age is not None
    assert status.refresh_age > 5
    source.mend()
    source.pass_freshness()
    await answer(lookup, "a.example")
    mended = lookup.status()
    assert (mended.error, mended.last_error, mended.refresh_age) == ("", status.last_error, 0)
    assert mended.last_error_age is not None
    assert mended.last_error_age > 5


async def test_the_sequence_number_and_the_age_of_the_last_look_are_reported(local: LocalSource) -> None:
    local.put("a.example", NO_AI)
    lookup = local.lookup()
    await answer(lookup, "a.example")
    local.clock.advance(0.1)
    status = lookup.status()
    assert status.seq == 1
    assert status.refresh_age == pytest.approx(0.1)
    assert status.replica is None


async def test_a_cached_lookup_has_no_sequence_number_and_at_first_no_age(cached: CachedSource) -> None:
    status = cached.lookup().status()
    assert (status.seq, status.refresh_age, status.misses) == (None, None, 0)


async def test_a_replica_reports_how_far_behind_it_is(local: LocalSource) -> None:
    local.put("a.example", NO_AI)
    with closing(sqlite3.connect(local.path)) as connection, connection:
        connection.execute("CREATE TABLE replica (id, source, pid, source_seq, level_at, trouble)")
        row = (1, "postgresql://ada:***@db/x", 77, 5, 2_000_000_000_000_000, "PostgreSQL is down")
        connection.execute("INSERT INTO replica VALUES (?, ?, ?, ?, ?, ?)", row)
    replica = local.lookup().status().replica
    assert replica is not None
    assert (replica.source, replica.pid, replica.changes_behind) == ("postgresql://ada:***@db/x", 77, 4)
    assert replica.error == "PostgreSQL is down"
    assert replica.seconds_behind == 0, "the clock was set back since"


async def test_a_lookup_without_its_file_has_a_status(local: LocalSource) -> None:
    local.path.unlink()
    status = local.lookup().status()
    assert (status.seq, status.sites, status.replica, status.refresh_age) == (0, 0, None, None)
    assert "no such file" in status.error
