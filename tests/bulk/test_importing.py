"""Imports whose rows move hosts, and changes by others between check and storing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from aipolicy.bulk.importer import Import
from aipolicy.bulk.rows import SiteRow
from aipolicy.bulk.staging import StagedRows
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.registry import Registry
from aipolicy.registry.bulk_load import BulkLoader
from tests.registry.conftest import Clock, clock, new_url, registry, url

__all__ = ["Clock", "clock", "new_url", "registry", "url"]

Rows = list[tuple[str, list[str] | None]]

SILENT = SitePolicy()


@contextmanager
def watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A progress display that checks that every row is counted once."""
    reached = [done]
    yield lambda more: reached.append(reached[-1] + more)
    assert label == "checking" or reached[-1] == total


@contextmanager
def spooled(rows: Rows) -> Iterator[StagedRows]:
    with StagedRows() as spool:
        for number, (site, hosts) in enumerate(rows, 1):
            spool.add((number, SiteRow(site, SILENT, None if hosts is None else frozenset(hosts))))
        spool.sort()
        yield spool


def imported(registry: Registry, rows: Rows) -> tuple[int, int, int]:
    with spooled(rows) as spool:
        run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
        run.check(watch, dry_run=False)
        assert list(spool.errors()) == []
        run.store(watch, skip_bad=False)
        return run.counts.new, run.counts.changed, run.counts.unchanged


@pytest.mark.parametrize("giver", ["a.example", "z.example"])
def test_hosts_are_removed_before_they_are_added_to_another_site(registry: Registry, giver: str) -> None:
    registry.put(SILENT.for_site(giver), by="ada", hosts=["shared.example"])
    rows: Rows = [("m.example", ["shared.example"]), (giver, [])]
    assert imported(registry, rows) == (1, 1, 0)
    assert registry.hosts("shared.example") == ("m.example", "shared.example")
    assert registry.seq == 3
    assert imported(registry, rows) == (0, 0, 2)


def test_hosts_can_move_between_three_sites(registry: Registry) -> None:
    registry.put(SILENT.for_site("a.example"), by="ada", hosts=["1.example"])
    registry.put(SILENT.for_site("b.example"), by="ada", hosts=["2.example"])
    rows: Rows = [("a.example", ["2.example"]), ("b.example", ["3.example"]), ("c.example", ["1.example"])]
    assert imported(registry, rows) == (1, 2, 0)
    assert [registry.hosts(f"{n}.example")[0] for n in "123"] == ["c.example", "a.example", "b.example"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_sites_that_exchange_their_hosts_are_bad_before_anything_is_stored(
    registry: Registry, dry_run: bool
) -> None:
    registry.put(SILENT.for_site("y.example"), by="ada", hosts=["1.example"])
    registry.put(SILENT.for_site("z.example"), by="ada", hosts=["2.example"])
    rows: Rows = [
        ("a.example", None),
        ("y.example", ["2.example"]),
        ("z.example", ["1.example"]),
    ]
    with spooled(rows) as spool:
        run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
        run.check(watch, dry_run=dry_run)
        assert [number for number, _ in spool.errors()] == [2, 3]
        assert all("import it separately" in error for _, error in spool.errors())
    assert registry.seq == 2


def test_a_row_that_needs_a_host_of_a_bad_row_is_bad(registry: Registry) -> None:
    registry.put(SILENT.for_site("a.example"), by="ada", hosts=["1.example"])
    registry.put(SILENT.for_site("b.example"), by="ada", hosts=["2.example"])
    rows: Rows = [("a.example", ["2.example"]), ("c.example", ["1.example"]), ("d.example", None)]
    with spooled(rows) as spool:
        run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
        run.check(watch, dry_run=False)
        run.store(watch, skip_bad=True)
        assert [number for number, _ in spool.errors()] == [1, 2]
        assert run.counts.new == 1
    assert registry.hosts("1.example")[0] == "a.example"


class StopError(Exception):
    """An error that simulates a kill after the first batch."""


@contextmanager
def stopping(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    def stop(_more: int) -> None:
        raise StopError

    yield stop


def stopped_and_resumed(
    registry: Registry, rows: Rows, meanwhile: Callable[[], object]
) -> tuple[tuple[int, int, int], list[tuple[int, str]]]:
    """Return the counts and the bad rows of an import that is interrupted after the first batch."""
    for attempt in (1, 2):
        with spooled(rows) as spool:
            run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
            run.check(watch, dry_run=False)
            if attempt == 1:
                with suppress(StopError):
                    run.store(stopping, skip_bad=True)
                meanwhile()
            else:
                run.store(watch, skip_bad=True)
                errors = list(spool.errors())
    return (run.counts.new, run.counts.changed, run.counts.unchanged), errors


def test_resuming_does_not_overwrite_a_site_that_took_its_host_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.bulk.importer.BATCH", 2)
    registry.put(SILENT.for_site("a.example"), by="ada", hosts=["x.example"])
    rows: Rows = [("a.example", []), ("b.example", None), ("c.example", None), ("z.example", ["x.example"])]

    def opt_out() -> None:
        registry.put(SitePolicy.from_flag(True, site="a.example"), by="owner", hosts=["x.example"])

    made, errors = stopped_and_resumed(registry, rows, opt_out)
    assert registry.get("a.example") == SitePolicy.from_flag(True, site="a.example")
    assert made == (2, 1, 0)
    ((number, error),) = errors
    assert (number, "it belongs to 'a.example'" in error) == (4, True)


def test_a_row_that_was_stored_early_is_not_stored_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.bulk.importer.BATCH", 2)
    registry.put(SitePolicy.from_preset("allow", site="z.example"), by="ada", hosts=["x.example"])
    rows: Rows = [("a.example", ["x.example"]), ("b.example", None), ("c.example", None), ("z.example", [])]

    def opt_out() -> None:
        registry.put(SitePolicy.from_flag(True, site="z.example"), by="owner")

    made, errors = stopped_and_resumed(registry, rows, opt_out)
    assert registry.get("z.example") == SitePolicy.from_flag(True, site="z.example")
    assert registry.hosts("x.example")[0] == "a.example"
    assert (made, errors) == ((3, 1, 0), [])


def test_a_further_host_becomes_a_site_once_it_is_removed(registry: Registry) -> None:
    registry.put(SILENT.for_site("b.example"), by="ada", hosts=["a.example"])
    assert imported(registry, [("a.example", None), ("b.example", [])]) == (1, 1, 0)
    assert registry.hosts("a.example") == ("a.example",)


@pytest.mark.parametrize("skip_bad", [True, False])
def test_a_host_that_is_taken_between_check_and_storing_is_an_error(
    registry: Registry, skip_bad: bool
) -> None:
    with spooled([("a.example", None), ("b.example", ["shared.example"])]) as spool:
        run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
        run.check(watch, dry_run=False)
        registry.put(SILENT.for_site("other.example"), by="ada", hosts=["shared.example"])
        if skip_bad:
            run.store(watch, skip_bad=True)
        else:
            with pytest.raises(AIPolicyError, match="row 2 can't be stored: correct it"):
                run.store(watch, skip_bad=False)
        ((number, error),) = spool.errors()
        assert (run.counts.new, run.counts.changed, run.counts.unchanged) == (skip_bad, 0, 0)
    assert number == 2
    assert "it belongs to 'other.example'" in error
    assert (registry.get("a.example") is not None) == skip_bad


def test_a_change_between_check_and_storing_stays_if_the_row_changed_nothing(
    registry: Registry,
) -> None:
    registry.put(SILENT.for_site("a.example"), by="ada")
    with spooled([("a.example", None), ("b.example", None)]) as spool:
        run = Import(spool, BulkLoader(registry, "test", by="import"), digest="x")
        run.check(watch, dry_run=False)
        opted_out = registry.put(SitePolicy.from_flag(True, site="a.example"), by="ada").policy
        run.store(watch, skip_bad=False)
        assert (run.counts.new, run.counts.changed, run.counts.unchanged) == (1, 0, 1)
    assert registry.get("a.example") == opted_out


def test_an_unreadable_bookmark_is_ignored(registry: Registry) -> None:
    loader = BulkLoader(registry, "test", by="import")
    for text in ("", "{", "[]", '{"line": 7}'):
        loader.put([], bookmark=lambda _, text=text: text, on_taken=lambda *_: None)  # type: ignore[misc]
        assert loader.bookmark == text
        with spooled([("a.example", None)]) as spool:
            run = Import(spool, loader, digest="x")
            assert (run.resumed, run.interrupted) == (0, None)
            run.store(watch, skip_bad=False)
        assert loader.bookmark is None
