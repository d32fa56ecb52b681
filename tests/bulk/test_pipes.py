"""Imports from pipes, which have no name: what is known of one that was stopped, and how long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from aipolicy.bulk import importer
from aipolicy.bulk.importer import Import
from aipolicy.bulk.rows import Entry
from aipolicy.bulk.staging import Spool
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.bulk_load import Loader
from tests.registry.conftest import new_url, raw, url

__all__ = ["new_url", "url"]

BATCH = 2
A, B = (tuple(f"{feed}{number}.example" for number in range(6)) for feed in "ab")


class StopError(Exception):
    pass


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", BATCH)


def pipe(registry: Registry, sites: tuple[str, ...], *, opted_out: bool = True, stop: bool = False) -> Import:
    """Import the sites; ``stop``: only the first batch."""

    @contextmanager
    def watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
        def advance(rows: int) -> None:
            if stop:
                raise StopError

        yield advance

    with Spool() as spool:
        for number, site in enumerate(sites, 1):
            spool.add((number, Entry(site, SitePolicy.from_flag(opted_out))))
        spool.sort()
        digest = f"csv {' '.join(sites)} {opted_out}"
        run = Import(spool, Loader(registry, f"- {digest}", by="nightly"), digest=digest)
        try:
            run.store(watch, skip_bad=False)
        except StopError:
            assert stop
    return run


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    with Registry(url) as opened:
        yield opened


def bookmarks(url: str) -> int:
    with raw(url) as connection:
        count: int = connection.exec_driver_sql("SELECT count(*) FROM meta").scalar_one()
    return count - 2


def test_two_pipes_that_were_stopped_are_both_gone_on_with(registry: Registry, url: str) -> None:
    for sites in (A, B):
        assert pipe(registry, sites, stop=True).resumed == 0
    assert bookmarks(url) == 2
    for sites in (A, B):
        run = pipe(registry, sites)
        assert (run.resumed, run.changed_since, run.made.new) == (BATCH, None, 6)
    assert bookmarks(url) == 0
    assert pipe(registry, A).resumed == 0, "once it has ended, the same is another import"


def test_a_pipe_that_has_the_last_site_stored_is_the_other_one_changed(registry: Registry, url: str) -> None:
    pipe(registry, A, stop=True)
    pipe(registry, B, stop=True)
    run = pipe(registry, A, opted_out=False)
    assert run.changed_since is not None
    assert (run.resumed, run.changed_since.stored, bookmarks(url)) == (0, BATCH, 1)
    # Now the first again: what it had stored was put anew since.
    run = pipe(registry, A)
    assert (run.resumed, run.made.changed) == (0, 6)
    assert all(policy.opted_out for policy in registry.sites())


def test_the_oldest_of_many_stopped_pipes_is_forgotten(
    registry: Registry, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PIPES", 2)
    feeds = [tuple(f"x{number}-{place}.example" for place in range(4)) for number in range(3)]
    for sites in feeds:
        pipe(registry, sites, stop=True)
    assert bookmarks(url) == 2
    assert [pipe(registry, sites).resumed for sites in reversed(feeds)] == [BATCH, BATCH, 0]


def test_a_few_rows_from_another_pipe_leave_one_that_was_stopped_where_it_was(
    registry: Registry, url: str
) -> None:
    pipe(registry, A, stop=True)
    by_its_owner = SitePolicy.from_preset("no-ai", site=A[0])
    registry.put(by_its_owner, by="owner")
    correction = pipe(registry, (A[BATCH - 1],), opted_out=False)
    assert (correction.changed_since, bookmarks(url)) == (None, 1)
    assert pipe(registry, A).resumed == BATCH
    assert registry.get(A[0]) == by_its_owner


def test_a_pipe_that_ends_at_once_makes_no_other_forgotten(
    registry: Registry, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PIPES", 2)
    for sites in (A, B):
        pipe(registry, sites, stop=True)
    pipe(registry, ("c.example",))
    assert [pipe(registry, sites).resumed for sites in (A, B)] == [BATCH, BATCH]
