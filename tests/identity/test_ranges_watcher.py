"""Updated lists are used without a restart."""

import logging
import os
from datetime import date
from pathlib import Path

import pytest

from aipolicy.errors import RangesError
from aipolicy.identity import Identity, Ranges, Verification, packaged_ranges
from aipolicy.identity.list_update import write_file
from aipolicy.identity.ranges_file import VARIABLE, RangesFile, RangesWatcher
from tests.identity.test_list_history import LASTING, NEW, read, reading

FIRST = Ranges((reading(date(2026, 11, 1), LASTING),))
SECOND = read(*FIRST.lists, reading(date(2026, 11, 20), LASTING, NEW))


class Clock:
    """A clock that only advances when it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "ranges.json"))
    write_file(tmp_path / "ranges.json", RangesFile(FIRST).to_json())
    return tmp_path / "ranges.json"


def test_a_replaced_file_is_read_once(file: Path) -> None:
    clock = Clock()
    fresh = RangesWatcher(clock=clock)
    assert (fresh.ranges, fresh.due, fresh.reload()) == (FIRST, False, None)
    clock.now = 60
    assert fresh.due
    write_file(file, RangesFile(SECOND).to_json())
    assert (fresh.reload(), fresh.due, fresh.reload()) == (SECOND, False, None)


@pytest.mark.parametrize("damage", ['{"lists": [{', ""])
def test_an_invalid_file_is_logged_once_and_the_last_good_lists_stay(
    file: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = RangesWatcher()
    file.write_text(damage)
    with caplog.at_level(logging.ERROR, "aipolicy.identity"):
        assert [fresh.reload(), fresh.reload()] == [None, None]
    assert fresh.ranges == FIRST
    assert len(caplog.records) == 1
    assert "is not a valid file of address lists" in caplog.text
    write_file(file, RangesFile(SECOND).to_json())
    assert fresh.reload() == SECOND


def test_the_last_valid_lists_stay_if_the_file_is_removed(file: Path) -> None:
    fresh = RangesWatcher()
    file.unlink()
    assert (fresh.reload(), fresh.ranges) == (None, FIRST)


def test_a_file_that_is_created_later_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    fresh = RangesWatcher()
    assert fresh.ranges == packaged_ranges()
    (tmp_path / "aipolicy").mkdir()
    write_file(tmp_path / "aipolicy" / "ranges.json", RangesFile(packaged_ranges()).to_json())
    assert fresh.reload() == packaged_ranges()


def test_a_damaged_file_at_the_start_is_an_error(file: Path) -> None:
    file.write_text("")
    with pytest.raises(RangesError, match="is not a valid file of address lists"):
        Verification(dns=False)


def test_a_verification_uses_the_reloaded_lists(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("aipolicy.identity.verification.RangesWatcher", lambda: RangesWatcher(clock=clock))
    verification = Verification(dns=False)
    assert verification.verify("GPTBot", NEW).identity is Identity.SPOOFED
    write_file(file, RangesFile(SECOND).to_json())
    os.utime(file)
    assert verification.verify("GPTBot", NEW).identity is Identity.SPOOFED
    clock.now = 61
    verification.verify("GPTBot", NEW)  # begins to read them, and doesn't wait
    verification.wait_until_idle()
    result = verification.verify("GPTBot", NEW)
    assert (result.identity, result.counts) == (Identity.VERIFIED, True)
