"""The lists in force: of a named file, the user's file, or the package."""

import json
from datetime import date
from pathlib import Path

import pytest

from aipolicy.errors import RangesError
from aipolicy.identity import Ranges, packaged_ranges, ranges_in_force
from aipolicy.identity.list_history import with_reading
from aipolicy.identity.ranges_file import VARIABLE, RangesFile, Validators, default_path, ranges_path
from tests.identity.test_list_history import LASTING, OLD, URL, reading

FRESH = with_reading(packaged_ranges(), reading(date(2026, 11, 20), LASTING))
STALE = Ranges((reading(date(2026, 1, 1), OLD),))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def written(path: Path, ranges: Ranges) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RangesFile(ranges).to_json())
    return path


def test_without_a_file_the_packaged_lists_are_used() -> None:
    assert ranges_in_force() == (packaged_ranges(), None)


def test_the_users_file_is_in_its_data_directory(home: Path) -> None:
    assert default_path() == home / "data" / "aipolicy" / "ranges.json"
    written(default_path(), FRESH)
    assert ranges_in_force() == (FRESH, default_path())


def test_newer_packaged_lists_are_merged_with_the_users_file() -> None:
    written(default_path(), STALE)
    ranges, _ = ranges_in_force()
    assert {each.urls for each in ranges.current} >= {each.urls for each in packaged_ranges().current}
    assert [str(each.prefixes[0]) for each in ranges.lists if each.gone and each.urls == (URL,)] == [
        f"{OLD}/32"
    ]


def test_a_named_file_is_used_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(default_path(), FRESH)
    named, other = written(home / "named.json", STALE), written(home / "other.json", FRESH)
    assert ranges_in_force(named) == (STALE, named)
    monkeypatch.setenv(VARIABLE, str(named))
    assert ranges_path() == named
    assert ranges_in_force() == (STALE, named)
    assert ranges_in_force(str(other)) == (FRESH, other)
    monkeypatch.setenv(VARIABLE, "")
    assert ranges_in_force() == (FRESH, default_path())


def test_validators_are_stored_with_the_lists(home: Path) -> None:
    kept = RangesFile(FRESH, {URL: Validators('"a"', None)})
    path = home / "ranges.json"
    path.write_text(kept.to_json())
    assert RangesFile.read(path) == kept
    assert Ranges.from_json(path.read_bytes()) == FRESH


@pytest.mark.parametrize("validator", ['"caf\xe9"', '"a"\r\nX: y', "", "x" * 1025])
def test_a_validator_that_can_not_be_sent_is_dropped(home: Path, validator: str) -> None:
    path = home / "ranges.json"
    path.write_text(RangesFile(FRESH, {URL: Validators(validator, "now")}).to_json())
    assert RangesFile.read(path).validators == {URL: Validators(None, "now")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"lists": []}',
        '{"lists": 5}',
        STALE.to_json()[:-40],
        STALE.to_json().replace("132.196.86.9", "192.168.1.1"),
        json.dumps(STALE.to_dict() | {"validators": []}),
        *(
            json.dumps({"lists": [STALE.to_dict()["lists"][0] | {name: value}]})
            for name, value in (
                ("operator", 5),
                ("operator", None),
                ("source", ["a"]),
                ("urls", URL),
                ("urls", [5]),
                ("urls", []),
                ("tokens", "GPTBot"),
                ("tokens", [None]),
            )
        ),
        json.dumps(STALE.to_dict() | {"validators": {URL: [5, None]}}),
        json.dumps(STALE.to_dict() | {"validators": {URL: ["a"]}}),
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_an_error_with_its_name(text: str | bytes) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(
        RangesError, match=rf"'{default_path()}' is not a valid file of address lists .*remove it"
    ):
        ranges_in_force()


def test_a_named_file_that_is_missing_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(home / "missing.json"))
    with pytest.raises(RangesError, match=r"missing\.json' can't be read .*crawlers update --to"):
        ranges_in_force()
    with pytest.raises(RangesError, match="can't be read"):
        ranges_in_force(home)
