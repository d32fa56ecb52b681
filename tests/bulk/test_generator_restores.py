"""A folder whose registry was restored to another history: every file is checked."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from aipolicy.bulk import generator
from aipolicy.bulk.generator import Generator
from aipolicy.bulk.host_folder import STATE, HostFolder
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import AIPolicyError, RegistryError
from aipolicy.registry import Registry
from tests.bulk.folders import OPTED_OUT, expected, files, write

Backup = Callable[[], Callable[[], None]]


@pytest.fixture
def back_up(tmp_path: Path) -> Backup:
    """Back up the registry, and return a function that restores it."""

    def copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
            one.backup(other)

    def made() -> Callable[[], None]:
        file, backup = tmp_path / "registry.db", tmp_path / "backup.db"
        copy(file, backup)
        return lambda: copy(backup, file)

    return made


def put(registry: Registry, count: int, name: str) -> None:
    registry.put_many((SitePolicy(site=f"{name}{number}.example") for number in range(count)), by="import")


@pytest.mark.parametrize("more", [0, 2, 3, 5])
def test_all_files_follow_a_registry_restored_from_a_backup(
    registry: Registry, out: Path, back_up: Backup, more: int
) -> None:
    registry.put(SitePolicy(site="blog.example"), by="ada")
    put_back = back_up()
    put(registry, 3, "lost")
    write(registry, out)
    put_back()
    registry.put(OPTED_OUT, by="ada")
    put(registry, more, "new")
    summary = write(registry, out)
    assert (summary.full, summary.seq) == (True, 2 + more)
    assert files(out) == expected(registry)
    assert not write(registry, out).full


def test_a_registry_restored_during_a_run_is_written_in_its_new_state(
    registry: Registry, out: Path, back_up: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.registry.registry._LARGE_PAGE", 3)
    registry.put(SitePolicy(site="blog.example"), by="ada")
    write(registry, out)
    put_back = back_up()
    put(registry, 4, "lost")
    turns = iter([put_back])

    def restore(_: int) -> None:
        for turn in turns:  # once: after the first file was written
            turn()
            registry.put(OPTED_OUT, by="ada")
            put(registry, 5, "new")

    with HostFolder(out) as folder:
        assert Generator(registry, folder, advance=restore).run().full
    assert files(out) == expected(registry)


def test_a_registry_that_is_restored_repeatedly_is_an_error(
    registry: Registry, out: Path, back_up: Backup
) -> None:
    registry.put(SitePolicy(site="blog.example"), by="ada")
    put_back = back_up()
    registry.put(OPTED_OUT, by="ada")
    write(registry, out)

    def restore(_: int) -> None:
        put_back()
        registry.put(OPTED_OUT, by="ada")

    restore(0)
    with (
        HostFolder(out) as folder,
        pytest.raises(AIPolicyError, match="is being restored from backups: run this again"),
    ):
        Generator(registry, folder, advance=restore).run()


def test_a_registry_restored_after_an_interrupted_first_pass_is_written_completely(
    registry: Registry, out: Path, back_up: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_CHECKPOINT", 1)
    registry.put(SitePolicy(site="blog.example"), by="ada")
    put_back = back_up()
    put(registry, 3, "lost")

    written = []

    def interrupt(done: int) -> None:
        written.append(done)
        if len(written) == 2:
            raise KeyboardInterrupt

    with HostFolder(out) as folder, pytest.raises(KeyboardInterrupt):
        Generator(registry, folder, advance=interrupt).run()
    put_back()
    registry.put(OPTED_OUT, by="ada")
    put(registry, 3, "new")
    write(registry, out)
    assert files(out) == expected(registry)


@contextmanager
def being_restored(file: Path) -> Iterator[None]:
    """Simulate a restore in which only the sites are missing."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM site")
        connection.execute("DELETE FROM site")
        yield
        connection.execute("INSERT INTO site SELECT * FROM kept")


@pytest.mark.parametrize("full", [True, False])
def test_no_file_is_removed_during_a_restore(
    registry: Registry, out: Path, back_up: Backup, tmp_path: Path, full: bool
) -> None:
    registry.put(OPTED_OUT, by="ada")
    put_back = back_up()
    put(registry, 1, "later")
    write(registry, out)
    before = files(out)
    if full:  # the last change isn't in the backup
        put_back()
    else:  # the backup was made after the last run
        registry.put(SitePolicy.from_flag(True, site="later0.example"), by="ada")
    with being_restored(tmp_path / "registry.db"):
        for _ in range(2):
            with pytest.raises(RegistryError, match="is incomplete: if it is being restored"):
                write(registry, out)
            assert files(out) == before
    write(registry, out)
    assert files(out) == expected(registry)


def test_a_folder_started_during_a_restore_is_complete_at_the_end(
    registry: Registry, out: Path, tmp_path: Path
) -> None:
    registry.put(OPTED_OUT, by="ada")
    with being_restored(tmp_path / "registry.db"), pytest.raises(RegistryError, match="is incomplete"):
        write(registry, out)
    write(registry, out)
    assert files(out) == expected(registry)


def test_a_state_without_a_digest_makes_the_run_check_every_file(registry: Registry, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada")
    write(registry, out)
    state = json.loads((out / STATE).read_text())
    del state["digest"]
    (out / STATE).write_text(json.dumps(state))
    summary = write(registry, out)
    assert (summary.full, summary.seq) == (True, 1)
    assert not write(registry, out).full
