"""What goes wrong with a replica's file is told once, and mended without a restart."""

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from aipolicy.registry.replica.file import Note, ReplicaFile
from aipolicy.registry.replica.filling import Progress
from aipolicy.registry.replica.source import Row
from tests.replica.following import eventually, follower, is_copy, read, seq, trouble


@contextmanager
def followed(url: str, file: Path) -> Iterator[Registry]:
    with Registry(url) as registry:
        registry.put_many([SitePolicy(f"blog{number}.example") for number in range(500)], by="import")
        with Replica(url, file):
            eventually(lambda: seq(file) == 500)
            yield registry


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def delete(file: Path) -> None:
    file.unlink()


def delete_all(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        if not path.name.endswith(".lock"):
            path.unlink()


def empty(file: Path) -> None:
    os.truncate(file, 0)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"this is no database " * 100)


def replace_by_older(file: Path) -> None:
    shutil.copy(file, f"{file}.older")
    Path(f"{file}.older").replace(file)


@pytest.mark.parametrize("damage", [delete, delete_all, empty, cut, overwrite, replace_by_older])
def test_a_file_that_is_harmed_is_told_once_and_filled_anew(
    url: str, file: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    with followed(url, file) as registry:
        damage(file)
        registry.put(SitePolicy("new.example"), by="ada")
        eventually(lambda: "level again" in caplog.text)
        assert seq(file) == 501
    assert is_copy(file, url)
    assert len(warnings(caplog)) == 1, warnings(caplog)
    assert str(file) in warnings(caplog)[0]


@pytest.mark.parametrize("damage", [empty, cut])
def test_a_file_that_was_harmed_meanwhile_is_filled_anew(
    url: str, file: Path, damage: Callable[[Path], None]
) -> None:
    with followed(url, file):
        pass
    damage(file)
    with Replica(url, file):
        eventually(lambda: seq(file) == 500)
        eventually(lambda: is_copy(file, url))


def test_a_full_disk_is_told_once_and_caught_up_when_there_is_room(
    url: str, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    apply = ReplicaFile.apply

    def on_a_small_disk(self: ReplicaFile, changes: Iterable[Row], note: Note) -> None:
        ((pages,),) = self._connection.execute("PRAGMA page_count")
        self._connection.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}")
        apply(self, changes, note)

    monkeypatch.setattr(ReplicaFile, "apply", on_a_small_disk)
    with followed(url, file) as registry:
        registry.put_many([SitePolicy(f"more{number}.example") for number in range(2000)], by="import")
        eventually(lambda: "make room on the disk" in caplog.text)
        assert seq(file) == 500
        assert read(file, "SELECT count(*) FROM site") == [(500,)]
        eventually(lambda: "make room on the disk" in trouble(file))
        full = False
        eventually(lambda: seq(file) == 2500)
    assert is_copy(file, url)
    assert len(warnings(caplog)) == 1, warnings(caplog)


def test_a_clock_that_jumps_back_is_no_trouble(
    url: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 5000.0
    with Registry(url) as registry, Replica(url, file, clock=lambda: now):
        registry.put(SitePolicy("a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
        now = 1000.0
        registry.put(SitePolicy("b.example"), by="ada")
        eventually(lambda: seq(file) == 2)
        eventually(lambda: read(file, "SELECT level_at FROM replica") == [(1_000_000_000,)])
    assert warnings(caplog) == []


def test_a_registry_that_is_not_there_yet_is_waited_for(
    url: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Replica(url, file):
        eventually(lambda: "does not exist" in caplog.text)
        with Registry(url) as registry:
            registry.put(SitePolicy("a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
    assert len(warnings(caplog)) == 1


def test_a_folder_that_is_not_there_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere.*check the path"):
        Replica(url, tmp_path / "nowhere" / "replica.db").run()


def test_a_second_follower_says_who_is_the_first(url: str, file: Path) -> None:
    Registry(url).close()
    with follower(url, file) as first:
        eventually(lambda: seq(file) == 0)
        with follower(url, file) as second:
            said = second.communicate(timeout=30)[1]
        assert second.returncode == 2
        assert f"'{file}' is followed by process {first.pid} already" in said
        assert "--wait" in said


def test_a_follower_that_waits_takes_over_when_the_first_is_killed(url: str, file: Path) -> None:
    with Registry(url) as registry, follower(url, file) as first:
        eventually(lambda: seq(file) == 0)
        with follower(url, file, "--wait") as second:
            assert second.stderr is not None
            assert f"followed by process {first.pid}: waiting" in second.stderr.readline()
            first.kill()
            first.wait()
            registry.put(SitePolicy("a.example"), by="ada")
            eventually(lambda: seq(file) == 1)
            second.terminate()
            assert second.wait(30) == 0


def test_a_fill_that_is_ended_leaves_nothing_behind(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Registry(url) as registry:
        registry.put_many([SitePolicy(f"blog{number}.example") for number in range(50)], by="import")
    monkeypatch.setattr("aipolicy.registry.replica.source.ROWS", 10)
    replica = Replica(url, file, progress=_stopping(lambda: replica.stop()))
    replica.run()
    assert [path.name for path in file.parent.iterdir()] == ["replica.db.lock"]


def _stopping(stop: Callable[[], None]) -> Progress:
    @contextmanager
    def progress(_: str, rows: int) -> Iterator[Callable[[int], None]]:
        assert rows == 200  # sites, hosts, their history, changes
        yield lambda done: stop()

    return progress


def test_ruins_of_a_fill_that_was_killed_are_no_trouble(url: str, file: Path) -> None:
    Registry(url).close()
    filling = file.with_name("replica.db.filling")
    filling.write_bytes(b"half")
    with Replica(url, file):
        eventually(lambda: seq(file) == 0)
    assert not filling.exists()
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
