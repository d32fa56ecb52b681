"""Log files, read in blocks of whole lines."""

import gzip
import io
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.accesslog import log_files
from aipolicy.accesslog.log_files import read_blocks
from aipolicy.errors import LogError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def read(path: Path, size: int = 8) -> list[bytes]:
    return list(read_blocks(str(path), lambda _: None, size))


def lines_of(found: list[bytes]) -> list[bytes]:
    assert all(block.startswith(b"\n") for block in found)
    return [line for block in found for line in block[1:].removesuffix(b"\n").split(b"\n")]


def lines_in(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n") if data else []


@given(
    st.lists(st.sampled_from([b"\n", b"a", b"long line ", b"\r\n", b"\x00"])).map(b"".join), st.integers(1, 9)
)
def test_every_line_is_in_exactly_one_block(data: bytes, size: int) -> None:
    found = list(log_files._whole_lines(io.BytesIO(data), size))
    assert lines_of(found) == lines_in(data)


def test_a_block_begins_with_a_newline_so_that_it_does_not_look_compressed(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x\x9cline\n" * 5)
    assert {block[:1] for block in read(tmp_path / "log")} == {b"\n"}


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_compressed_logs_are_read_whatever_their_name(tmp_path: Path, compress: object) -> None:
    (tmp_path / "log").write_bytes(compress(b"one\ntwo\n"))  # type: ignore[operator]
    assert lines_of(read(tmp_path / "log")) == [b"one", b"two"]


def test_concatenated_compressed_logs_are_read_completely(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert lines_of(read(tmp_path / "log")) == [b"one", b"two"]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_compressed_log_that_was_cut_off_is_an_error_that_names_it(
    tmp_path: Path, compress: object
) -> None:
    compressed = compress(bytes(range(256)) * 99)  # type: ignore[operator]
    (tmp_path / "log").write_bytes(compressed[: len(compressed) * 2 // 3])
    with pytest.raises(LogError, match="log' can't be read to its end"):
        read(tmp_path / "log")


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_compressed_log_that_was_damaged_is_an_error_that_names_it(
    tmp_path: Path, compress: object
) -> None:
    chance = random.Random(1)
    lines = b"".join(b"line %d\n" % chance.randrange(10**9) for _ in range(999))
    complete = compress(lines)  # type: ignore[operator]
    (tmp_path / "log").write_bytes(complete[:99] + complete)
    with pytest.raises(LogError, match="log' can't be read to its end"):
        read(tmp_path / "log")


def test_a_folder_and_a_missing_file_are_errors_that_name_them(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.log"):
        with pytest.raises(LogError, match=path.name):
            read(path)


def test_an_endless_line_is_kept_in_part_and_counted_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(log_files, "LONGEST_LINE", 100)
    (tmp_path / "log").write_bytes(b"before\n" + b"x" * 1000 + b" GPTBot\nafter\n")
    lines = lines_of(read(tmp_path / "log"))
    assert [line[:3] for line in lines] == [b"bef", b"xxx", b"aft"]
    assert len(lines[1]) < 120


def test_progress_counts_every_byte_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(gzip.compress(b"line\n" * 100_000))
    sizes: list[int] = []
    list(read_blocks(str(tmp_path / "log"), sizes.append))
    assert sum(sizes) == (tmp_path / "log").stat().st_size
