"""The storage of the fetch table."""

from pathlib import Path

import polars as pl
import pytest

from aipolicy.accesslog.fetch_table import SCHEMA, FetchStore
from aipolicy.errors import LogError


def fetches(*lines: int) -> pl.DataFrame:
    rows = pl.DataFrame({"line": lines}, schema={"line": pl.Int64})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name != "line"]
    return rows.with_columns(missing).select(SCHEMA.names())


def lines_in(store: FetchStore) -> list[int]:
    lines: list[int] = pl.concat(store.parts()).collect()["line"].to_list()
    return lines


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_rows_come_out_in_the_order_in_which_they_went_in(most: int) -> None:
    with FetchStore(most) as store:
        for line in range(7):
            store.add(fetches(line, line))
        assert lines_in(store) == [line for line in range(7) for _ in range(2)]


def test_an_empty_store_has_every_column() -> None:
    with FetchStore() as store:
        assert pl.concat(store.parts()).collect().schema == SCHEMA


def test_files_are_deleted_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with FetchStore(1) as store:
        store.add(fetches(1))
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_few_long_rows_are_moved_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with FetchStore(100, max_bytes=50_000) as store:
        for line in range(20):
            store.add(fetches(line).with_columns(path=pl.lit("/" + "x" * 10_000)))
        assert len(list(tmp_path.glob("*/*.parquet"))) >= 3
        assert lines_in(store) == list(range(20))


def test_a_full_disk_is_an_error_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: pl.DataFrame, *_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with FetchStore(1) as store, pytest.raises(LogError, match=rf"{tmp_path}.*No space left.*TMPDIR"):
        store.add(fetches(1))
    assert not list(tmp_path.iterdir())
