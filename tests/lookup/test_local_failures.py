"""LocalLookup with a file that is missing, locked, deleted or unreadable, and with invalid rows.

Never more permissive than the last good answer or the default, and never an error.
"""

import itertools
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aipolicy.lookup import LocalLookup
from aipolicy.lookup.registry_file import RegistryFile
from tests.lookup.harness import (
    NO_AI,
    OPTED_OUT,
    UNSET,
    Clock,
    LocalSource,
    another_registry,
    answer,
    policy,
    sql,
)


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aipolicy.lookup")


async def test_a_missing_file_is_no_error_and_names_the_path_and_the_fix(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "later.db"
    lookup = LocalLookup(path, clock=clock)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    fix = "there is no such file; 'aipolicy set' creates it"
    assert record.message.startswith(f"registry {path} can't be read: {fix}")
    assert await answer(lookup, "blog.example") is lookup.default
    assert lookup.seq == 0

    another_registry(path, "blog.example", NO_AI)
    clock.advance(5.1)
    assert await policy(lookup, "blog.example") == NO_AI
    assert caplog.messages[1:] == [f"registry {path} can be read again"]


async def test_a_missing_directory_is_no_error_either(clock: Clock, tmp_path: Path) -> None:
    lookup = LocalLookup(tmp_path / "no" / "such" / "registry.db", clock=clock)
    assert await answer(lookup, "blog.example") is lookup.default


async def test_a_file_that_cannot_be_read_is_tried_again_ever_more_seldom(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def unreadable(path: Path) -> RegistryFile:
        tries.append(clock.now)
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("aipolicy.lookup.local.RegistryFile", unreadable)
    lookup = LocalLookup(tmp_path / "registry.db", clock=clock, refresh=0.25)
    for _ in range(800):
        clock.advance(0.0625)
        assert await answer(lookup, "blog.example") is lookup.default
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps[:3] == [0.25, 0.5, 1.0]
    assert set(gaps[3:]) == {1.0}


async def test_a_deleted_file_leaves_the_last_good_answers(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    local.put("silent.example", UNSET)
    lookup = local.lookup()
    opted_out, silent = await answer(lookup, "blog.example"), await answer(lookup, "silent.example")
    for file in local.path.parent.glob("registry.db*"):
        file.unlink()
    local.clock.advance(0.3)
    assert await answer(lookup, "blog.example") is opted_out
    assert await answer(lookup, "silent.example") is silent
    assert await answer(lookup, "other.example") is lookup.default
    # And they are at hand: a failure makes requests no slower.
    assert lookup.peek(b"blog.example") is opted_out


def statements_of(lookup: LocalLookup) -> list[str]:
    """Return a list to which the SQL that it runs from now on is appended."""
    statements: list[str] = []
    assert lookup._file is not None
    lookup._file._connection.set_trace_callback(statements.append)
    return statements


async def test_a_locked_file_holds_nobody_up(local: LocalSource, caplog: pytest.LogCaptureFixture) -> None:
    local.put("blog.example", NO_AI)
    local.put("silent.example", UNSET)
    sql(local.path, "PRAGMA journal_mode=DELETE")  # in WAL mode a writer locks no reader out
    lookup = local.lookup()
    opted_out, silent = await answer(lookup, "blog.example"), await answer(lookup, "silent.example")
    with closing(sqlite3.connect(local.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        local.clock.advance(0.3)
        statements = statements_of(lookup)
        assert await answer(lookup, "blog.example") is opted_out
        assert await answer(lookup, "silent.example") is silent
        assert await answer(lookup, "other.example") is lookup.default
        assert len(statements) == 1, "one try, of 5 ms at most, and none until the next look"
        assert "database is locked" in caplog.text
    local.clock.advance(0.3)
    local.put("other.example", UNSET)
    local.clock.advance(0.3)
    assert await policy(lookup, "other.example") == UNSET


async def test_a_lock_met_between_two_looks_is_a_failure_too(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    sql(local.path, "PRAGMA journal_mode=DELETE")
    lookup = local.lookup()
    with closing(sqlite3.connect(local.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert await answer(lookup, "blog.example") is lookup.default
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == UNSET


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk I/O error"), OSError(5, "Input/output error")]
)
async def test_a_failing_disk_leaves_the_last_good_answers(
    local: LocalSource, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")

    def failing(_: RegistryFile) -> None:
        raise error

    monkeypatch.setattr(RegistryFile, "state", failing)
    local.clock.advance(0.3)
    assert await answer(lookup, "blog.example") is found
    assert await answer(lookup, "other.example") is lookup.default


@pytest.mark.parametrize(
    "text",
    ["'{'", "'[]'", "'null'", "''", "7", "CAST(x'7BFF7D' AS TEXT)", "'{\"no such field\": 1}'", "NULL"],
)
async def test_an_invalid_policy_affects_only_its_site(
    local: LocalSource, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    for host in ("bad.example", "good.example", "no.example"):
        local.put(host, NO_AI if host == "no.example" else UNSET)
    lookup = local.lookup(default="unset")
    before = {host: await answer(lookup, host) for host in ("bad.example", "good.example", "no.example")}
    local.put("bad.example", OPTED_OUT)
    local.put("no.example", UNSET)
    if text == "NULL":
        sql(local.path, "PRAGMA ignore_check_constraints = 1", "ALTER TABLE site RENAME COLUMN policy TO old")
        sql(local.path, "ALTER TABLE site ADD COLUMN policy TEXT", "UPDATE site SET policy = old")
    sql(local.path, f"UPDATE site SET policy = {text} WHERE name IN ('bad.example', 'no.example')")
    local.clock.advance(0.3)
    assert await answer(lookup, "good.example") is before["good.example"]
    assert await answer(lookup, "no.example") is before["no.example"]
    assert await answer(lookup, "bad.example") is lookup.strict_default
    assert "policy of 'no.example'" in caplog.text
    assert "its last good answer is served until the policy changes" in caplog.text
    local.clock.advance(0.3)
    caplog.clear()
    assert await answer(lookup, "bad.example") is lookup.strict_default
    assert not caplog.records

    sql(local.path, "UPDATE site SET policy = '{}'")
    local.put("bad.example", NO_AI)
    local.clock.advance(0.3)
    assert await policy(lookup, "bad.example") == NO_AI


async def test_a_change_that_cannot_be_read_any_more_trusts_no_older_answer(local: LocalSource) -> None:
    local.put("silent.example", UNSET)
    local.put("no.example", NO_AI)
    lookup = local.lookup()
    opted_out = await answer(lookup, "no.example")
    await answer(lookup, "silent.example")
    local.put("silent.example", OPTED_OUT)
    local.put("no.example", UNSET)
    local.clock.advance(0.3)
    await answer(lookup, "other.example")  # has seen that they changed
    local.fail()
    local.clock.advance(0.3)
    assert await answer(lookup, "silent.example") is lookup.default
    assert await answer(lookup, "no.example") is opted_out


async def test_changes_made_during_a_failure_are_followed_after_it(local: LocalSource) -> None:
    for host in ("changes.example", "stays.example"):
        local.put(host, UNSET)
    lookup = local.lookup()
    await answer(lookup, "changes.example")
    stays = await answer(lookup, "stays.example")
    local.fail()
    local.clock.advance(0.3)
    await answer(lookup, "changes.example")
    local.mend()
    local.put("changes.example", NO_AI)
    local.clock.advance(5.1)
    assert await policy(lookup, "changes.example") == NO_AI
    assert lookup.peek(b"stays.example") is stays


async def test_an_error_of_the_lookup_itself_reaches_no_visitor(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = local.lookup()
    monkeypatch.setattr(lookup, "_store", None)
    assert await lookup.find(b"blog.example") is lookup.default
    assert "lookup of b'blog.example' failed; the default policy is served" in caplog.text


async def test_an_opt_out_outlasts_a_fault_of_the_lookup_itself(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    local.put("blog.example", OPTED_OUT)
    lookup = local.lookup(default="unset")
    await answer(lookup, "blog.example")
    monkeypatch.setattr(lookup, "_follow", None)
    local.clock.advance(10)
    assert (await answer(lookup, "blog.example")).policy.opted_out
    assert "lookup of b'blog.example' failed; its last good answer is served" in caplog.text


async def test_what_went_wrong_is_reported_again_when_it_changes(
    local: LocalSource, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = local.lookup()
    local.path.unlink()
    local.clock.advance(1)
    await answer(lookup, "blog.example")
    local.path.write_bytes(b"this is no database " * 1000)
    for _ in range(5):
        local.clock.advance(5.1)
        await answer(lookup, "blog.example")
    missing, damaged = caplog.messages
    assert "there is no such file" in missing
    assert "file is not a database" in damaged


async def test_a_file_that_can_be_read_and_cannot_in_turns_is_reported_ever_more_seldom(
    local: LocalSource, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = local.lookup()
    for _ in range(60):
        local.fail()
        local.clock.advance(0.5)
        await answer(lookup, "blog.example")
        local.mend()
        local.clock.advance(0.5)
        await answer(lookup, "blog.example")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert 4 <= len(warnings) <= 7
    assert "more like this were left out" in warnings[-1]
