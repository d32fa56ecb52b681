"""LocalLookup with a file that is damaged, replaced or not a registry.

Never more permissive than the last good answer or the default, and never an error.
"""

import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.lookup.harness import NO_AI, UNSET, LocalSource, another_registry, answer, policy, sql


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aipolicy.lookup")


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"this is no database " * 1000)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace_with_garbage(path: Path) -> None:
    garbage = path.with_suffix(".garbage")
    garbage.write_bytes(b"this is no database " * 1000)
    garbage.replace(path)


def replace_with_nothing(path: Path) -> None:
    empty = path.with_suffix(".empty")
    empty.touch()
    empty.replace(path)


def replace_with_another_programs(path: Path) -> None:
    other = path.with_suffix(".other")
    sql(other, "CREATE TABLE meta (key, value)", "CREATE TABLE users (name)")
    other.replace(path)


def replace_with_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


DAMAGES = [
    truncate,
    overwrite,
    cut_in_half,
    replace_with_garbage,
    replace_with_nothing,
    replace_with_another_programs,
    replace_with_a_directory,
]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_leaves_the_last_good_answers(
    local: LocalSource, damage: Callable[[Path], None]
) -> None:
    local.put("blog.example", NO_AI)
    local.put("silent.example", UNSET)
    local.put("new.example", UNSET)
    lookup = local.lookup(max_stale=60)
    opted_out, silent = await answer(lookup, "blog.example"), await answer(lookup, "silent.example")
    damage(local.path)
    local.clock.advance(0.3)
    assert await answer(lookup, "blog.example") is opted_out
    assert await answer(lookup, "silent.example") is silent
    assert (await answer(lookup, "new.example")) in {lookup.default, silent}
    local.clock.advance(61)
    assert await answer(lookup, "blog.example") is opted_out


@pytest.mark.parametrize("displace", [delete, move_away, replace_with_garbage, replace_with_a_directory])
async def test_a_change_made_before_the_file_was_displaced_is_in_force(
    local: LocalSource, displace: Callable[[Path], None]
) -> None:
    """A worker without requests meanwhile reads the change in the file that it has open."""
    local.put("blog.example", UNSET, hosts=["www.blog.example"])
    lookup = local.lookup(default="unset")
    assert await policy(lookup, "blog.example") == UNSET
    assert await policy(lookup, "www.blog.example") == UNSET
    local.put("blog.example", NO_AI, hosts=["www.blog.example"])
    local.clock.advance(5)
    displace(local.path)
    assert await policy(lookup, "blog.example") == NO_AI
    assert await policy(lookup, "www.blog.example") == NO_AI
    assert lookup.status().error


async def test_a_copy_in_a_replicas_place_does_not_hide_the_last_changes(
    local: LocalSource, tmp_path: Path
) -> None:
    local.put("blog.example", UNSET)
    sql(local.path, f"INSERT OR REPLACE INTO meta VALUES ('file', '{local.path.stat().st_ino}')")
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(local.path)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)
    lookup = local.lookup(default="unset")
    assert await policy(lookup, "blog.example") == UNSET
    local.put("blog.example", NO_AI)
    local.clock.advance(5)
    copy.replace(local.path)
    assert await policy(lookup, "blog.example") == NO_AI


@pytest.mark.parametrize("ruin", [truncate, overwrite, cut_in_half])
async def test_if_changes_may_be_lost_with_the_file_no_permission_is_served(
    local: LocalSource, ruin: Callable[[Path], None]
) -> None:
    """An opt-out was lost with the file before this worker read it."""
    local.put("blog.example", UNSET)
    local.put("art.example", NO_AI)
    lookup = local.lookup()
    assert await policy(lookup, "blog.example") == UNSET
    strict = await answer(lookup, "art.example")
    local.put("blog.example", NO_AI)
    local.clock.advance(1.5)
    ruin(local.path)
    for _ in range(3):
        assert (await policy(lookup, "blog.example")).opted_out
        assert await answer(lookup, "art.example") is strict
        local.clock.advance(0.7)


async def test_a_locked_file_is_not_taken_for_a_damaged_one(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    sql(local.path, "PRAGMA journal_mode = DELETE")
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    with closing(sqlite3.connect(local.path, isolation_level=None)) as writer:
        local.clock.advance(5)
        writer.execute("BEGIN EXCLUSIVE")
        assert await answer(lookup, "blog.example") is found
        assert "locked" in lookup.status().error


async def test_a_file_truncated_under_a_writer_does_not_kill_the_process(local: LocalSource) -> None:
    """Memory-mapped reading would: SQLite would touch pages that are gone (SIGBUS)."""
    local.put("blog.example", NO_AI)
    with closing(sqlite3.connect(local.path)) as writer:
        writer.execute("INSERT INTO meta VALUES ('a page', 'in the log')")
        writer.commit()
        lookup = local.lookup()
        found = await answer(lookup, "blog.example")
        truncate(local.path)
        local.clock.advance(0.3)
        assert await answer(lookup, "blog.example") is found
        assert await answer(lookup, "other.example") is lookup.default


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_file_that_is_damaged_from_the_start_is_no_error(
    local: LocalSource, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    local.put("blog.example", UNSET)
    damage(local.path)
    lookup = local.lookup()
    assert await answer(lookup, "blog.example") in (lookup.default, lookup._known.get(b"blog.example"))
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE meta SET value = '2' WHERE key = 'schema_version'", "schema version is b'2', not b'1'"),
        ("DELETE FROM meta", "schema version is None"),
        ("DELETE FROM sequence", "it has no sequence number"),
        ("UPDATE sequence SET seq = 'many'", "it has no sequence number"),
        ("DROP TABLE host", "no such table: host"),
        ("DROP TABLE meta", "not a registry: no such table: meta"),
    ],
)
async def test_a_file_that_is_no_registry_of_this_version_is_not_read(
    local: LocalSource, damage: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    local.put("blog.example", UNSET)
    sql(local.path, damage)
    lookup = local.lookup()
    assert await answer(lookup, "blog.example") is lookup.default
    assert message in caplog.text


async def test_a_schema_that_becomes_newer_in_flight_is_not_read_on(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    local.put("other.example", UNSET)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    sql(local.path, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    local.clock.advance(0.3)
    assert await answer(lookup, "blog.example") is found
    assert await answer(lookup, "other.example") is lookup.default


async def test_a_replaced_file_is_read_from_then_on(local: LocalSource, tmp_path: Path) -> None:
    local.put("blog.example", UNSET)
    local.put("gone.example", UNSET)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    await answer(lookup, "gone.example")
    another_registry(tmp_path / "new.db", "blog.example", NO_AI).replace(local.path)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert await answer(lookup, "gone.example") is lookup.default
    assert lookup.seq == 1


async def test_the_old_answers_stay_until_the_new_file_has_proved_good(
    local: LocalSource, tmp_path: Path
) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup(default="unset")
    found = await answer(lookup, "blog.example")
    replace_with_garbage(local.path)
    for _ in range(10):
        local.clock.advance(5.1)
        assert await answer(lookup, "blog.example") is found
    another_registry(tmp_path / "new.db", "blog.example", UNSET).replace(local.path)
    local.clock.advance(5.1)
    assert await policy(lookup, "blog.example") == UNSET


async def test_a_backup_put_back_in_place_is_noticed(local: LocalSource, tmp_path: Path) -> None:
    local.put("blog.example", NO_AI)
    with closing(sqlite3.connect(local.path)) as now, closing(sqlite3.connect(tmp_path / "backup")) as then:
        now.backup(then)
    local.put("blog.example", UNSET)
    lookup = local.lookup()
    assert await policy(lookup, "blog.example") == UNSET
    with closing(sqlite3.connect(local.path)) as now, closing(sqlite3.connect(tmp_path / "backup")) as then:
        then.backup(now)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert lookup.seq == 1


async def test_another_registry_written_into_the_same_file_is_noticed(
    local: LocalSource, tmp_path: Path
) -> None:
    local.put("blog.example", UNSET)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    other = another_registry(tmp_path / "other.db", "blog.example", NO_AI)
    with closing(sqlite3.connect(local.path)) as here, closing(sqlite3.connect(other)) as there:
        there.backup(here)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI


async def test_a_deleted_file_is_read_on_until_another_one_takes_its_place(
    local: LocalSource, tmp_path: Path
) -> None:
    """The file is still open, so sites that aren't cached are answered, too."""
    for host, its in (("blog.example", NO_AI), ("silent.example", UNSET), ("later.example", UNSET)):
        local.put(host, its)
    lookup = local.lookup(max_stale=60)
    await answer(lookup, "blog.example")
    for file in local.path.parent.glob("registry.db*"):
        file.unlink()
    local.clock.advance(0.3)
    assert await policy(lookup, "silent.example") == UNSET
    assert await answer(lookup, "unknown.example") is lookup.default
    assert "there is no such file" in lookup.status().error
    local.clock.advance(61)
    assert await answer(lookup, "later.example") is lookup.default
    another_registry(local.path, "later.example", UNSET)
    local.clock.advance(1.1)
    assert await policy(lookup, "later.example") == UNSET
    assert await answer(lookup, "blog.example") is lookup.default


async def test_a_file_moved_away_and_back_is_the_same_one(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    local.path.rename(local.path.with_suffix(".away"))
    local.clock.advance(0.3)
    assert await answer(lookup, "blog.example") is found
    local.path.with_suffix(".away").rename(local.path)
    local.put("blog.example", NO_AI)
    local.clock.advance(1.1)
    assert await policy(lookup, "blog.example") == NO_AI


async def test_a_file_replaced_beside_its_log_is_locked_as_it_should_be(
    local: LocalSource, tmp_path: Path
) -> None:
    """SQLite truncates the index of an unlocked log, and a process that reads it would die (SIGBUS)."""
    local.put("blog.example", UNSET)
    other = another_registry(tmp_path / "other.db", "blog.example", NO_AI)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    index = local.path.with_name("registry.db-shm").stat().st_ino
    assert f":{index} " in Path("/proc/locks").read_text()
    other.replace(local.path)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert f":{index} " in Path("/proc/locks").read_text()


async def test_a_copy_put_in_a_replicas_place_is_not_read_before_its_follower_took_it_over(
    local: LocalSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite would read the old file together with the newer write-ahead log."""
    local.put("blog.example", UNSET)
    local.put("other.example", UNSET)
    number = "INSERT OR REPLACE INTO meta VALUES ('file', '{}')"
    sql(local.path, number.format(local.path.stat().st_ino))
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(local.path)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    copy.replace(local.path)
    for _ in range(3):
        local.clock.advance(1.1)
        assert await answer(lookup, "blog.example") is found
    assert await policy(lookup, "other.example") == UNSET, "of the one before, which is still open"
    (output,) = caplog.messages
    assert "a copy of a replica" in output
    sql(local.path, number.format(local.path.stat().st_ino))
    local.clock.advance(1.1)
    assert await policy(lookup, "blog.example") == UNSET


async def test_a_copy_of_a_replica_is_read_where_there_is_nothing_else(
    local: LocalSource, tmp_path: Path
) -> None:
    local.put("blog.example", NO_AI)
    sql(local.path, "INSERT INTO meta VALUES ('file', '1')")
    lookup = local.lookup()
    assert await policy(lookup, "blog.example") == NO_AI
