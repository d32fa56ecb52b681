"""Damage to a replica's file, which is logged once and repaired without a restart."""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from aipolicy.registry.replica.file import ReplicaFile, StatusRow
from aipolicy.registry.replica.initial_copy import Progress
from aipolicy.registry.replica.source import Row
from aipolicy.registry.replica.status import FollowerStatus
from tests.replica.helpers import eventually, follower, is_at_work, is_copy, read, seq, trouble


@contextmanager
def followed(url: str, file: Path) -> Iterator[Registry]:
    with Registry(url) as registry:
        registry.put_many([SitePolicy(site=f"blog{number}.example") for number in range(500)], by="import")
        with Replica(url, file):
            eventually(lambda: is_at_work(file))
            assert seq(file) == 500
            yield registry


def back_up(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)


def outdate(registry: Registry, file: Path, copy: Path) -> None:
    """Make a copy, then a change in the file itself, and one that is only in its log."""
    back_up(file, copy)
    registry.put(SitePolicy.from_flag(True, site="blog0.example"), by="ada")
    eventually(lambda: seq(file) == 501)
    with closing(sqlite3.connect(file)) as now:
        assert now.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    registry.put(SitePolicy.from_flag(True, site="blog499.example"), by="ada")
    eventually(lambda: seq(file) == 502)


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
def test_a_damaged_file_is_logged_once_and_filled_again(
    url: str, file: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    with followed(url, file) as registry:
        damage(file)
        registry.put(SitePolicy(site="new.example"), by="ada")
        eventually(lambda: "up to date again" in caplog.text)
        assert seq(file) == 501
    assert is_copy(file, url)
    assert len(warnings(caplog)) == 1, warnings(caplog)
    assert str(file) in warnings(caplog)[0]


def test_an_old_copy_next_to_the_newer_log_is_filled_again(
    url: str, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Next to it is the newer file's log. SQLite takes it for the copy's own, and mixes old and new pages."""
    old = tmp_path / "old.db"
    with followed(url, file) as registry:
        outdate(registry, file, old)
        old.replace(file)
        eventually(lambda: "up to date again" in caplog.text)
        registry.put(SitePolicy(site="new.example"), by="ada")
        eventually(lambda: seq(file) == 503)
    assert is_copy(file, url)
    assert len(warnings(caplog)) == 1, warnings(caplog)


def test_an_old_copy_that_appears_between_two_runs_is_filled_again(
    url: str, file: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    with Registry(url) as registry:
        registry.put_many([SitePolicy(site=f"blog{number}.example") for number in range(500)], by="import")
        with follower(url, file):
            eventually(lambda: seq(file) == 500)
            outdate(registry, file, old)
        old.replace(file)  # it was killed: the log is there
        with follower(url, file):
            registry.put(SitePolicy(site="new.example"), by="ada")
            eventually(lambda: seq(file) == 503)
            assert is_copy(file, url)


def test_a_copy_without_a_log_is_taken_over(
    url: str, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A copied file serves a new machine, which then need not fetch all rows."""
    copy = tmp_path / "copy.db"
    with followed(url, file) as registry:
        back_up(file, copy)
        caplog.clear()
        with Replica(url, copy):
            registry.put(SitePolicy(site="new.example"), by="ada")
            eventually(lambda: seq(copy) == 501)
            number = str(copy.stat().st_ino)
            assert read(copy, "SELECT value FROM meta WHERE key = 'file'") == [(number,)]
    assert is_copy(copy, url)
    assert "filled" not in caplog.text


def test_the_file_of_another_program_is_refused_and_unchanged(
    url: str, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("These are my notes.\n" * 99)
    with followed(url, file) as registry:
        notes.replace(file)
        eventually(lambda: "is not a replica: use another file, or remove this one" in caplog.text)
        registry.put(SitePolicy(site="new.example"), by="ada")
        assert file.read_text() == "These are my notes.\n" * 99
        file.unlink()
        eventually(lambda: seq(file) == 501)
    assert is_copy(file, url)


@pytest.mark.parametrize("damage", [empty, cut])
def test_a_file_damaged_between_two_runs_is_filled_again(
    url: str, file: Path, damage: Callable[[Path], None]
) -> None:
    with followed(url, file):
        pass
    damage(file)
    with Replica(url, file):
        eventually(lambda: seq(file) == 500)
        eventually(lambda: is_copy(file, url))


def test_a_full_disk_is_logged_once_and_the_replica_catches_up_afterwards(
    url: str, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    apply = ReplicaFile.apply

    def on_a_small_disk(self: ReplicaFile, changes: Sequence[Row], status: StatusRow) -> None:
        ((pages,),) = self._connection.execute("PRAGMA page_count")
        self._connection.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}")
        apply(self, changes, status)

    monkeypatch.setattr(ReplicaFile, "apply", on_a_small_disk)
    with followed(url, file) as registry:
        registry.put_many([SitePolicy(site=f"more{number}.example") for number in range(2000)], by="import")
        eventually(lambda: "free space on the disk" in caplog.text)
        assert seq(file) == 500
        assert read(file, "SELECT count(*) FROM site") == [(500,)]
        eventually(lambda: "free space on the disk" in trouble(file))
        full = False
        eventually(lambda: seq(file) == 2500)
    assert is_copy(file, url)
    assert len(warnings(caplog)) == 1, warnings(caplog)


def test_alternating_messages_of_an_outage_are_logged_once_each(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = FollowerStatus("postgresql://db/blogs", file, time.time)
    for _ in range(3):
        for kind in ("connection refused", "connection reset"):
            status.failed(kind)
    assert [message.partition(";")[0] for message in warnings(caplog)] == [
        "connection refused",
        "connection reset",
    ]
    for number in range(100):
        status.failed(f"after {number} tries")
    assert len(warnings(caplog)) == 5
    status.up_to_date(7)
    status.failed("connection refused")
    assert len(warnings(caplog)) == 6


def test_a_clock_that_jumps_back_is_harmless(url: str, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 5000.0
    with Registry(url) as registry, Replica(url, file, clock=lambda: now):
        registry.put(SitePolicy(site="a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
        now = 1000.0
        registry.put(SitePolicy(site="b.example"), by="ada")
        eventually(lambda: seq(file) == 2)
        eventually(lambda: read(file, "SELECT level_at FROM replica") == [(1_000_000_000,)])
    assert warnings(caplog) == []


def test_a_follower_waits_for_a_missing_registry(
    url: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Replica(url, file):
        eventually(lambda: "does not exist" in caplog.text)
        with Registry(url) as registry:
            registry.put(SitePolicy(site="a.example"), by="ada")
        eventually(lambda: seq(file) == 1)
    assert len(warnings(caplog)) == 1


def test_a_missing_folder_is_an_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere.*check the path"):
        Replica(url, tmp_path / "nowhere" / "replica.db").run()


def test_the_error_of_a_second_follower_names_the_first(url: str, file: Path) -> None:
    Registry(url).close()
    with follower(url, file) as first:
        eventually(lambda: seq(file) == 0)
        with follower(url, file) as second:
            log = second.communicate(timeout=30)[1]
        assert second.returncode == 2
        assert f"'{file}' is followed by process {first.pid} already" in log
        assert "--wait" in log


def test_a_follower_that_waits_takes_over_when_the_first_is_killed(url: str, file: Path) -> None:
    with Registry(url) as registry, follower(url, file) as first:
        eventually(lambda: seq(file) == 0)
        with follower(url, file, "--wait") as second:
            assert second.stderr is not None
            assert f"followed by process {first.pid}: waiting" in second.stderr.readline()
            first.kill()
            first.wait()
            registry.put(SitePolicy(site="a.example"), by="ada")
            eventually(lambda: seq(file) == 1)
            second.terminate()
            assert second.wait(30) == 0


def test_an_interrupted_copy_leaves_no_files(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Registry(url) as registry:
        registry.put_many([SitePolicy(site=f"blog{number}.example") for number in range(50)], by="import")
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


def test_the_remains_of_a_killed_copy_are_harmless(url: str, file: Path) -> None:
    Registry(url).close()
    filling = file.with_name("replica.db.filling")
    filling.write_bytes(b"half")
    with Replica(url, file):
        eventually(lambda: seq(file) == 0)
    assert not filling.exists()
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_another_reader_that_ends_does_not_delete_the_log(url: str, file: Path) -> None:
    """The last connection to close a file deletes its log; the follower must count as open."""
    with Registry(url) as registry, follower(url, file):
        for number in range(1, 4):
            registry.put(SitePolicy(site=f"blog{number}.example"), by="ada")
            eventually(lambda: seq(file) == registry.seq)
            with Registry(f"sqlite:///{file}") as copy:
                assert copy.seq == number
        assert is_copy(file, url)


def test_checking_the_file_keeps_the_locks_of_the_process(url: str, file: Path) -> None:
    """POSIX releases all locks of a process when it closes the file by other means than SQLite's."""
    with Registry(url) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        with Replica(url, file):
            eventually(lambda: seq(file) == 1)
        lookup = LocalLookup(file)
        held = locks(file)
        with Replica(url, file):
            level_at = "SELECT level_at FROM replica"
            for _ in range(2):  # it has begun, and looked at the file
                before = read(file, level_at)
                eventually(partial(changed, file, level_at, before))
            assert locks(file) == held == 1
        lookup.close()


def changed(file: Path, statement: str, before: list[tuple[object, ...]]) -> bool:
    return read(file, statement) != before


def locks(file: Path) -> int:
    """Return the number of locks on the file, of any process."""
    inode = f":{file.stat().st_ino} "
    return sum(inode in line for line in Path("/proc/locks").read_text().splitlines())
