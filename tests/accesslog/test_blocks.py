"""Logs as blocks of whole lines."""

import gzip
import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.accesslog import blocks as module
from aipolicy.accesslog.blocks import blocks
from aipolicy.errors import LogError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def read(path: Path, size: int = 8) -> list[bytes]:
    return list(blocks(str(path), lambda octets: None, size))


def lines_of(found: list[bytes]) -> list[bytes]:
    assert all(block.startswith(b"\n") for block in found)
    return [line for block in found for line in block[1:].removesuffix(b"\n").split(b"\n")]


def lines_in(octets: bytes) -> list[bytes]:
    return octets.removesuffix(b"\n").split(b"\n") if octets else []


@given(
    st.lists(st.sampled_from([b"\n", b"a", b"long line ", b"\r\n", b"\x00"])).map(b"".join), st.integers(1, 9)
)
def test_every_line_is_in_one_block_whole(octets: bytes, size: int) -> None:
    found = list(module._whole_lines(io.BytesIO(octets), size))
    assert lines_of(found) == lines_in(octets)


def test_a_block_begins_with_a_newline_so_that_nobody_takes_it_for_a_compressed_one(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x\x9cline\n" * 5)
    assert {block[:1] for block in read(tmp_path / "log")} == {b"\n"}


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_compressed_logs_are_read_whatever_their_name(tmp_path: Path, compress: object) -> None:
    (tmp_path / "log").write_bytes(compress(b"one\ntwo\n"))  # type: ignore[operator]
    assert lines_of(read(tmp_path / "log")) == [b"one", b"two"]


def test_logs_that_were_compressed_apart_and_joined_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert lines_of(read(tmp_path / "log")) == [b"one", b"two"]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_compressed_log_that_was_cut_off_is_an_error_that_names_it(
    tmp_path: Path, compress: object
) -> None:
    whole = compress(bytes(range(256)) * 99)  # type: ignore[operator]
    (tmp_path / "log").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(LogError, match="log' can't be read to its end"):
        read(tmp_path / "log")


def test_a_compressed_log_that_was_damaged_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(bytes(range(256)) * 99))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "log").write_bytes(whole)
    with pytest.raises(LogError, match="log' can't be read to its end"):
        read(tmp_path / "log")


def test_a_folder_and_a_file_that_is_not_there_are_errors_that_name_them(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.log"):
        with pytest.raises(LogError, match=path.name):
            read(path)


def test_an_endless_line_is_kept_in_part_and_counted_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 100)
    (tmp_path / "log").write_bytes(b"before\n" + b"x" * 1000 + b" GPTBot\nafter\n")
    lines = lines_of(read(tmp_path / "log"))
    assert [line[:3] for line in lines] == [b"bef", b"xxx", b"aft"]
    assert len(lines[1]) < 120


def test_progress_hears_of_every_octet_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(b"line\n" * 100_000))
    heard: list[int] = []
    list(blocks(str(tmp_path / "log"), heard.append))
    assert sum(heard) == (tmp_path / "log").stat().st_size
