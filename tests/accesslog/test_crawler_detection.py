"""The filter for lines that contain a crawler's token."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.accesslog.crawler_detection import crawler_lines, line_pattern, token_pattern
from aipolicy.core.crawlers import CRAWLERS

TOKENS = [crawler.product_token for crawler in CRAWLERS]


def matching_lines(block: bytes) -> list[tuple[int, bytes]]:
    _, lines = crawler_lines(b"\n" + block, token_pattern())
    return [(line, text) for line, text in lines.select("line", "text").iter_rows()]


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_found_in_every_spelling(token: str) -> None:
    spellings = [token, token.lower(), token.upper(), token.swapcase()]
    spellings += [token.replace(" ", space) for space in ("+", "%20", "%2520")]
    lines = [f'192.0.2.1 "Mozilla/5.0 ({spelling}/1.0)"'.encode() for spelling in spellings]
    assert matching_lines(b"\n".join(lines)) == list(enumerate(lines, 1))


def test_other_lines_are_filtered_out() -> None:
    assert matching_lines(b"Mozilla/5.0 Firefox/140.0\n\n\ncurl/8.0\r\n") == []


def test_names_of_policies_and_self_declared_crawlers_are_found() -> None:
    named, bot, other = (
        b'"NewThing/1.0"',
        b'"(compatible; NewBot/1.0; +https://new.example)"',
        b"Firefox/140.0",
    )
    _, rows = crawler_lines(b"\n" + b"\n".join((named, bot, other)), line_pattern(["newthing"]))
    assert rows["text"].to_list() == [named, bot]
    _, rows = crawler_lines(b"\n" + b"\n".join((named, bot, other)), line_pattern(map(str, range(30_000))))
    assert len(rows) == 3  # so many names that every line may have one


def test_a_line_loses_its_end_and_keeps_its_number() -> None:
    assert matching_lines(b"\nGPTBot\r\n\nCCBot") == [(2, b"GPTBot"), (4, b"CCBot")]


def test_invalid_utf_8_changes_nothing() -> None:
    assert matching_lines(b"\xff GPTBot \x00\r\n\nCCBot \xfe") == [
        (1, b"\xff GPTBot \x00"),
        (3, b"CCBot \xfe"),
    ]


def test_a_line_that_begins_like_a_compressed_file_is_a_line() -> None:
    assert matching_lines(b"x\x9c GPTBot\n") == [(1, b"x\x9c GPTBot")]


@given(st.lists(st.sampled_from([b"a", b"GPTBot", b"\n", b"\r", b"\x00", b"\xff", b"x\x9c"]), min_size=1))
def test_every_line_is_counted(parts: list[bytes]) -> None:
    block = b"".join(parts)
    lines, rows = crawler_lines(b"\n" + block, token_pattern())
    expected = block.removesuffix(b"\n").split(b"\n")
    assert lines == len(expected)
    wanted = [(n, line.removesuffix(b"\r")) for n, line in enumerate(expected, 1) if b"GPTBot" in line]
    assert rows.select("line", "text").rows() == wanted
    assert rows.schema == {"line": pl.Int64, "text": pl.Binary}
