"""The status of a follower, in the file and in the log."""

import logging
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from aipolicy.registry.replica.file import ReplicaFile, StatusRow
from tests.replica.helpers import eventually, is_at_work, is_copy, read, seq


def test_a_new_copy_has_the_time_when_it_was_up_to_date(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry(url).close()
    monkeypatch.setattr(ReplicaFile, "set_status", lambda *_: None)  # what the fill wrote stays
    with Replica(url, file, clock=lambda: 1000.0):
        eventually(lambda: read(file, "SELECT level_at FROM replica") == [(1_000_000_000,)])


def test_a_disk_too_full_for_the_status_is_a_failure_that_is_logged_once(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aipolicy.registry.replica.follower._HEARTBEAT", 0.0)
    monkeypatch.setattr("aipolicy.registry.replica.follower._LONGEST_DELAY", 0.0)
    set_status = ReplicaFile.set_status
    tries = 0

    def full(*_: object) -> None:
        nonlocal tries
        tries += 1
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    Registry(url).close()
    with Replica(url, file):
        eventually(lambda: is_at_work(file))
        monkeypatch.setattr(ReplicaFile, "set_status", full)
        eventually(lambda: tries > 20)
        assert "up to date again" not in caplog.text
        monkeypatch.setattr(ReplicaFile, "set_status", set_status)
        eventually(lambda: "up to date again" in caplog.text)
        assert read(file, "SELECT trouble FROM replica") == [("",)]
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_the_end_of_a_failure_is_in_the_file_before_it_is_logged(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It doesn't wait for the next periodic write of the status."""
    apply = ReplicaFile.apply
    failing = True

    def failing_at_first(self: ReplicaFile, changes: list[tuple[object, ...]], status: StatusRow) -> None:
        if failing:
            raise OSError(5, "Input/output error")
        apply(self, changes, status)

    monkeypatch.setattr(ReplicaFile, "apply", failing_at_first)
    with Registry(url) as registry, Replica(url, file):
        eventually(lambda: is_at_work(file))
        monkeypatch.setattr("aipolicy.registry.replica.follower._HEARTBEAT", 1000.0)
        registry.put(SitePolicy(site="a.example"), by="ada")
        eventually(lambda: "Input/output error" in caplog.text)
        failing = False
        eventually(lambda: "up to date again" in caplog.text)
        assert read(file, "SELECT trouble FROM replica") == [("",)]


def test_a_file_of_an_earlier_version_is_filled_again(
    url: str, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its table ``replica`` had a further column."""
    with Registry(url) as registry:
        registry.put(SitePolicy(site="a.example"), by="ada")
        with Replica(url, file):
            eventually(lambda: is_at_work(file))
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("ALTER TABLE replica ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0")
            connection.execute("PRAGMA writable_schema=ON")
            connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ' DEFAULT 0', '')")
        with Replica(url, file):
            eventually(lambda: "up to date again" in caplog.text)
            registry.put(SitePolicy(site="b.example"), by="ada")
            eventually(lambda: seq(file) == 2)
        assert is_copy(file, url)
    assert "asked_at" not in str(read(file, "SELECT sql FROM sqlite_schema"))


def test_a_server_that_accepts_a_connection_and_never_answers_times_out(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aipolicy.registry.replica.source.ANSWER_TIMEOUT", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/blogs"
        with Replica(url, file) as replica:
            eventually(lambda: "timeout" in caplog.text)
            replica.stop()
