"""LocalLookup with a history that is not the one it read before, in an otherwise equal file."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aipolicy.lookup import LocalLookup
from tests.lookup.harness import NO_AI, UNSET, LocalSource, answer, policy, sql

Restore = Callable[[LocalLookup, Path, Path], None]


def into_the_file(_: LocalLookup, backup: Path, file: Path) -> None:
    """Copy a backup into the open file, as a follower rebuilds a replica."""
    with closing(sqlite3.connect(backup)) as then, closing(sqlite3.connect(file)) as now:
        then.backup(now)


def over_the_file(lookup: LocalLookup, backup: Path, file: Path) -> None:
    """Replace the content of the closed file, as ``cp`` does."""
    lookup.close()
    shutil.copyfile(backup, file)


@pytest.mark.parametrize("restore", [into_the_file, over_the_file])
@pytest.mark.parametrize("more", [0, 1])
async def test_a_backup_that_was_put_back_and_is_as_far_again_or_further_is_noticed(
    local: LocalSource, tmp_path: Path, restore: Restore, more: int
) -> None:
    local.put("blog.example", UNSET)
    backup = tmp_path / "backup.db"
    shutil.copyfile(local.path, backup)
    local.put("lost.example", UNSET)
    lookup = local.lookup()
    assert await policy(lookup, "blog.example") == UNSET
    assert await policy(lookup, "lost.example") == UNSET
    restore(lookup, backup, local.path)
    local.put("blog.example", NO_AI)
    for number in range(more):
        local.put(f"new{number}.example", UNSET)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert await answer(lookup, "lost.example") is lookup.default
    assert lookup.seq == 2 + more


async def test_a_missing_row_of_the_last_change_is_not_read_again_and_again(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    sql(local.path, "DROP TRIGGER change_refuses_delete", "DELETE FROM change")
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    local.clock.advance(0.3)
    await answer(lookup, "other.example")
    assert lookup.peek(b"blog.example") is found


async def test_a_last_change_is_read_once_while_nobody_writes(local: LocalSource) -> None:
    """A change may have megabytes, and reading it would block the event loop."""
    local.put("blog.example", UNSET)
    lookup = local.lookup()
    assert await policy(lookup, "blog.example") == UNSET
    asked: list[str] = []
    assert lookup._file is not None
    lookup._file._connection.set_trace_callback(asked.append)
    for _ in range(2):
        local.clock.advance(0.3)
        assert await policy(lookup, "blog.example") == UNSET
    assert asked == ["PRAGMA data_version"] * 2
    local.put("blog.example", NO_AI)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
