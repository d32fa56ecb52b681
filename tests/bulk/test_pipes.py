"""Imports from pipes, which can't be resumed: each starts again, and stored rows stay."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from aipolicy.bulk import importer
from aipolicy.bulk.importer import PIPE, Import
from aipolicy.bulk.rows import SiteRow
from aipolicy.bulk.staging import StagedRows
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.bulk_load import BulkLoader
from tests.registry.conftest import new_url, raw, url

__all__ = ["new_url", "url"]

BATCH = 2
Sites = dict[str, list[str]]

A: Sites = {f"a{number}.example": [] for number in range(6)}
B: Sites = {f"b{number}.example": [] for number in range(6)}


class StopError(Exception):
    pass


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", BATCH)


def pipe(
    registry: Registry, sites: Sites, *, opted_out: bool = True, stop: bool = False, resumable: bool = False
) -> Import:
    """Import the sites with their hosts; ``stop``: only the first batch."""

    @contextmanager
    def progress(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
        def advance(rows: int) -> None:
            if stop and label == "storing":
                raise StopError

        yield advance

    with StagedRows() as rows:
        for number, (site, hosts) in enumerate(sites.items(), 1):
            rows.add((number, SiteRow(site, SitePolicy.from_flag(opted_out), frozenset(hosts))))
        rows.sort()
        loader = BulkLoader(registry, PIPE, by="nightly")
        run = Import(rows, loader, digest=f"csv {sites} {opted_out}", resumable=resumable)
        run.check(progress, dry_run=False)
        assert list(rows.errors()) == []
        try:
            run.store(progress, skip_bad=False)
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


def state(registry: Registry) -> dict[str, tuple[SitePolicy | None, tuple[str, ...]]]:
    return {p.site: (registry.get(p.site), registry.hosts(p.site)) for p in registry.sites()}


def test_an_interrupted_pipe_starts_again(registry: Registry, url: str) -> None:
    stopped = pipe(registry, A, stop=True)
    assert (stopped.checkpoint.stored, stopped.interrupted, bookmarks(url)) == (BATCH, None, 1)
    run = pipe(registry, A)
    assert run.interrupted is not None
    assert (run.interrupted.stored, run.resumed) == (BATCH, 0)
    assert (run.counts.new, run.counts.changed, run.counts.unchanged) == (6 - BATCH, 0, BATCH)
    assert bookmarks(url) == 0
    assert registry.seq == 6
    again = pipe(registry, A)
    assert (again.interrupted, again.counts.unchanged) == (None, 6)


def test_many_interrupted_pipes_leave_one_bookmark(registry: Registry, url: str) -> None:
    for sites in (A, B, A):
        pipe(registry, sites, stop=True)
    assert bookmarks(url) == 1
    for sites in (A, B):
        assert pipe(registry, sites).resumed == 0
    assert bookmarks(url) == 0
    assert set(state(registry)) == {*A, *B}


def test_a_changed_pipe_is_stored_in_its_new_state(registry: Registry) -> None:
    pipe(registry, A, stop=True)
    run = pipe(registry, A, opted_out=False)
    assert (run.counts.new, run.counts.changed) == (6 - BATCH, BATCH)
    assert not any(policy.opted_out for policy in registry.sites())
    assert pipe(registry, A).counts.changed == 6
    assert all(policy.opted_out for policy in registry.sites())


@pytest.mark.parametrize("times", [1, 2, 3])
def test_hosts_moved_by_an_interrupted_pipe_are_moved_again(registry: Registry, times: int) -> None:
    silent = SitePolicy()
    registry.put(silent.for_site("a.example"), by="ada", hosts=["1.example"])
    registry.put(silent.for_site("z.example"), by="ada", hosts=["2.example", "3.example"])
    sites: Sites = {
        "a.example": ["2.example"],
        "b.example": ["1.example"],
        "c.example": ["3.example"],
        "z.example": [],
    }
    for _ in range(times):
        pipe(registry, sites, stop=True)
    pipe(registry, sites)
    expected = SitePolicy.from_flag(True)
    assert state(registry) == {
        site: (expected.for_site(site), (site, *hosts)) for site, hosts in sites.items()
    }
    changes = registry.seq
    assert pipe(registry, sites).counts.unchanged == 4
    assert registry.seq == changes


def test_a_bookmark_of_the_first_version_resumes_a_file_and_not_a_pipe(registry: Registry) -> None:
    """Version 0.1 also numbered the imports, and stored the digest of a pipe in the bookmark's name."""
    digest = f"csv {A} True"
    text = f'{{"digest": "{digest}", "after": "a1.example", "early": [], "stored": 2, "new": 2, "changed": 0,'
    text += ' "unchanged": 0, "number": 3}'
    for resumable in (False, True):
        for site in list(A)[:2]:
            registry.put(SitePolicy.from_flag(True, site=site), by="nightly", hosts=[])
        loader = BulkLoader(registry, PIPE, by="nightly")
        loader.put([], bookmark=lambda _: text, on_taken=lambda *_: None)
        run = pipe(registry, A, resumable=resumable)
        assert run.resumed == (2 if resumable else 0)
        assert len(list(registry.sites())) == 6
