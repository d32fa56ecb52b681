"""``Registry.put_many``: the same result as single puts, or none."""

import json
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.errors import HostError, HostTakenError, RegistryError
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry, write
from tests.registry.conftest import Clock, NewURL, raw

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
TABLES = ("sequence", "site", "host", "host_history", "change")
KEYS = {"host": "host", "host_history": "host, at, seq"}

Put = tuple[SitePolicy, list[str] | None]
NAMES = [f"{letter}.example" for letter in "abcde"]
PUTS = st.lists(
    st.tuples(
        st.builds(
            SitePolicy.from_preset, st.sampled_from(["unset", "no-training"]), site=st.sampled_from(NAMES)
        ),
        st.none() | st.lists(st.sampled_from(NAMES), max_size=3),
    ),
    max_size=12,
)


APART = st.tuples(
    st.permutations([f"{letter}.example" for letter in "abcdefghij"]),
    st.lists(st.tuples(st.sampled_from(["unset", "no-training"]), st.none() | st.integers(0, 2)), max_size=4),
)
"""Names, and for each put its policy and the number of its further hosts."""


def apart(drawn: tuple[list[str], list[tuple[str, int | None]]]) -> list[Put]:
    """Return puts of which no two name the same host."""
    names, puts = iter(drawn[0]), []
    for preset, further in drawn[1]:
        policy = SitePolicy.from_preset(preset_named(preset), site=next(names))
        puts.append((policy, None if further is None else [next(names, "x.example") for _ in range(further)]))
    return puts


def tables(url: str) -> dict[str, list[tuple[object, ...]]]:
    with raw(url) as connection:
        return {
            name: [
                tuple(row)
                for row in connection.execute(
                    sqlalchemy.text(f"SELECT * FROM {name} ORDER BY {KEYS.get(name, '1')}")
                )
            ]
            for name in TABLES
        }


def accepted(registry: Registry, puts: list[Put]) -> list[Put]:
    """Put the policies one by one, and return those that were not refused."""
    taken = []
    for policy, hosts in puts:
        try:
            registry.put(policy, by="ada", hosts=hosts)
        except HostTakenError:
            continue
        taken.append((policy, hosts))
    return taken


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PUTS, puts=PUTS)
def test_put_many_writes_the_same_tables_as_single_puts(
    new_url: NewURL, clock: Clock, before: list[Put], puts: list[Put]
) -> None:
    one_by_one, together = new_url(), new_url()
    with Registry(one_by_one, clock=clock) as registry:
        before = accepted(registry, before)
        first = registry.seq
        puts = accepted(registry, puts)
        changes = registry.seq - first
    with Registry(together, clock=clock) as registry:
        registry.put_many(before, by="ada")
        assert registry.put_many(puts, by="ada") == changes
    assert tables(together) == tables(one_by_one)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PUTS, drawn=APART)
def test_independent_puts_write_the_same_tables_as_single_puts(
    new_url: NewURL, clock: Clock, before: list[Put], drawn: tuple[list[str], list[tuple[str, int | None]]]
) -> None:
    one_by_one, together = new_url(), new_url()
    with Registry(one_by_one, clock=clock) as registry:
        before = accepted(registry, before)
        first = registry.seq
        taken = accepted(registry, apart(drawn))
        changes = registry.seq - first
    refused: list[str] = []
    with Registry(together, clock=clock) as registry:
        registry.put_many(before, by="ada")
        made = registry.put_many(
            apart(drawn), by="ada", refused=lambda policy, error: refused.append(policy.site)
        )
        assert made == changes
    assert len(refused) == len(drawn[1]) - len(taken)
    assert tables(together) == tables(one_by_one)


def test_equal_puts_are_not_changes(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    silent = SitePolicy(site="other.example")
    assert registry.put_many([OPTED_OUT, (OPTED_OUT, ["www.blog.example"]), silent], by="import") == 1
    assert registry.seq == 2
    assert registry.put_many([OPTED_OUT, silent], by="import") == 0
    assert [change.by for change in registry.changes()] == ["ada", "import"]


def test_change_numbers_have_no_gap_across_chunks(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_CHUNK", 1000)
    count = 2500
    puts = (
        (SitePolicy.from_flag(True, site=f"blog{n}.example"), [f"www.blog{n}.example"]) for n in range(count)
    )
    assert registry.put_many(puts, by="import") == count
    changes = list(registry.changes())
    assert [change.seq for change in changes] == [*range(1, count + 1)]
    assert [change.site for change in changes] == [f"blog{n}.example" for n in range(count)]
    assert registry.get("www.blog2499.example") == SitePolicy.from_flag(True, site="blog2499.example")


def test_a_site_can_have_more_hosts_than_a_statement_has_values(registry: Registry) -> None:
    hosts = [f"h{n}.example" for n in range(33_000)]
    assert registry.put_many([(OPTED_OUT, hosts)], by="import") == 1
    assert len(registry.hosts("blog.example")) == 33_001


def test_all_changes_have_one_time_not_before_the_latest_change(registry: Registry, clock: Clock) -> None:
    registry.put(OPTED_OUT, by="ada")
    then = clock.now
    clock.move(hours=-1)
    registry.put_many([SitePolicy(site="a.example"), SitePolicy(site="b.example")], by="import")
    assert {change.at for change in registry.changes()} == {then}
    assert registry.at("a.example", then - timedelta(microseconds=1)) is None
    assert registry.at("a.example", then) == SitePolicy(site="a.example")


def test_a_refused_put_undoes_all_puts(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    many = [SitePolicy(site=f"blog{n}.example") for n in range(1500)]
    with pytest.raises(HostTakenError, match=r"'www\.blog\.example'.*'other\.example'.*'blog\.example'"):
        registry.put_many([*many, (SitePolicy(site="other.example"), ["www.blog.example"])], by="import")
    assert registry.seq == 1
    assert registry.get("blog0.example") is None
    with pytest.raises(HostTakenError, match="can't be a site"):
        registry.put_many([*many, SitePolicy(site="www.blog.example")], by="import")
    assert [policy.site for policy in registry.sites()] == ["blog.example"]


def test_a_refused_put_can_be_left_out_instead(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    refused_hosts: list[tuple[str, str]] = []
    puts: list[Put] = [
        (SitePolicy(site="a.example"), None),
        (SitePolicy(site="www.blog.example"), None),
        (SitePolicy(site="b.example"), ["free.example", "blog.example"]),
        (SitePolicy(site="c.example"), ["free.example"]),
    ]
    made = registry.put_many(
        puts, by="x", refused=lambda policy, error: refused_hosts.append((policy.site, str(error)))
    )
    assert made == 2
    assert [site for site, _ in refused_hosts] == ["www.blog.example", "b.example"]
    assert [change.seq for change in registry.changes()] == [1, 2, 3]
    assert registry.hosts("free.example") == ("c.example", "free.example")
    assert registry.get("b.example") is None


def test_an_exception_of_the_iterable_undoes_all_puts(registry: Registry) -> None:
    def source() -> Iterator[SitePolicy]:
        for number in range(1500):
            yield SitePolicy(site=f"blog{number}.example")
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        registry.put_many(source(), by="import")
    assert registry.seq == 0
    assert registry.put(OPTED_OUT, by="ada").seq == 1


def test_a_dry_run_counts_and_writes_nothing(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada")
    puts = [OPTED_OUT, SitePolicy(site="a.example"), SitePolicy(site="b.example")]
    assert registry.put_many(puts, by="import", dry_run=True) == 2
    assert registry.seq == 1
    assert registry.get("a.example") is None
    assert registry.put_many(puts, by="import") == 2


def test_a_host_that_no_put_mentions_is_removed(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    assert registry.put_many([(OPTED_OUT, [])], by="import") == 1
    assert registry.get("www.blog.example") is None


def test_hosts_move_within_one_call(registry: Registry) -> None:
    silent = SitePolicy(site="other.example")
    registry.put_many(
        [(OPTED_OUT, ["shared.example"]), (OPTED_OUT, []), (silent, ["shared.example"])], by="x"
    )
    assert registry.get("shared.example") == silent
    assert [change.hosts for change in registry.history("blog.example")] == [
        ("blog.example", "shared.example"),
        ("blog.example",),
    ]


def test_invalid_puts_have_the_same_errors_as_put(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no site"):
        registry.put_many([SitePolicy()], by="ada")
    with pytest.raises(RegistryError, match="by is"):
        registry.put_many([OPTED_OUT], by=" ")
    with pytest.raises(RegistryError, match="use a list"):
        registry.put_many([(OPTED_OUT, "www.blog.example")], by="ada")
    with pytest.raises(HostError):
        registry.put_many([(OPTED_OUT, ["a b"])], by="ada")
    assert registry.put_many([], by="ada") == 0
    assert registry.seq == 0


def test_readers_see_none_or_all_puts(registry: Registry) -> None:
    sequence_numbers: list[int] = []

    def source() -> Iterator[SitePolicy]:
        for number in range(2500):
            if number % 500 == 0:
                sequence_numbers.append(registry.seq)
            yield SitePolicy(site=f"blog{number}.example")

    registry.put_many(source(), by="import")
    assert set(sequence_numbers) == {0}
    assert registry.seq == 2500


def test_other_writers_wait_until_the_end(registry: Registry) -> None:
    def source() -> Iterator[SitePolicy]:
        other.start()
        for number in range(1200):
            yield SitePolicy(site=f"blog{number}.example")

    other = threading.Thread(target=registry.put, args=(OPTED_OUT,), kwargs={"by": "ada"})
    registry.put_many(source(), by="import")
    other.join()
    assert [change.seq for change in registry.history("blog.example")] == [1201]


async def test_a_lookup_sees_the_puts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    with Registry(url) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        lookup = LocalLookup(url, refresh=0.001)
        assert not (await lookup.find(b"blog.example")).policy.opted_out
        registry.put_many([(OPTED_OUT, ["www.blog.example"])], by="import")
        lookup.invalidate("blog.example")
        for host in (b"blog.example", b"www.blog.example"):
            assert (await lookup.find(host)).policy.opted_out
        lookup.close()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_puts(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_CHUNK", 1000)

    def peak(count: int) -> int:
        tracemalloc.start()
        registry.put_many((SitePolicy(site=f"n{count}-{n}.example") for n in range(count)), by="import")
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1100)  # what is compiled and imported once
    few, many = peak(1500), peak(3500)
    assert many < few * 1.5


def test_changes_are_stored_in_the_same_json_as_by_put(registry: Registry, url: str) -> None:
    registry.put_many([(OPTED_OUT, ["www.blog.example", "a.example"])], by="import")
    with raw(url) as connection:
        hosts = connection.execute(sqlalchemy.text("SELECT hosts FROM change")).scalar_one()
    assert json.loads(hosts) == ["blog.example", "a.example", "www.blog.example"]
