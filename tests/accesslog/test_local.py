"""Logs evaluated by the local engine: blocks in order, formats that change within a log."""

from pathlib import Path

import polars as pl
import pytest

from aipolicy.accesslog import local, log_files
from aipolicy.accesslog.evaluate import Evaluator, Terms, masked_address
from aipolicy.accesslog.fetch_table import FetchStore
from aipolicy.accesslog.local import read_logs
from aipolicy.accesslog.policies import policies_from_jsonl, policies_from_robots
from aipolicy.identity import IdentityChecker

COMBINED = '192.0.2.1 - - [01/Oct/2026:10:00:00 +0000] "GET /{} HTTP/1.1" 200 5 "-" "GPTBot/1.0"\n'
CLOSED = b"User-agent: *\nDisallow: /\n"


def read(*paths: Path) -> pl.DataFrame:
    terms = Terms(policies_from_robots(CLOSED, ["a.example"]), IdentityChecker(), sites=("a.example",))
    with FetchStore() as store:
        read_logs(list(map(str, paths)), Evaluator(terms), store, log_format=None, advance=lambda *_: None)
        return pl.concat(store.parts()).collect()


def test_lines_are_numbered_through_all_blocks_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "read_blocks", lambda name, advance: log_files.read_blocks(name, advance, 300))
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("".join(COMBINED.format(n) for n in range(1, 50)))
    rows = read(tmp_path / "a.log", tmp_path / "b.log")
    expected = [(str(tmp_path / name), n, f"/{n}") for name in ("a.log", "b.log") for n in range(1, 50)]
    assert rows.select("file", "line", "path").rows() == expected


def test_each_directive_changes_the_columns_of_the_lines_after_it(tmp_path: Path) -> None:
    log = tmp_path / "u_ex.log"
    log.write_text(
        "#Software: Microsoft Internet Information Services 10.0\n"
        "#Fields: date time c-ip cs-uri-stem sc-status cs(User-Agent)\n"
        "2026-10-01 10:00:00 192.0.2.1 /one 200 GPTBot/1.0\n"
        "#Fields: date time cs(User-Agent) cs-uri-stem c-ip sc-status\r\n"
        "2026-10-01 10:00:01 GPTBot/1.0 /two 192.0.2.2 404\r\n"
        "\r\n"
        "#Fields: date time c-ip cs-uri-stem sc-status cs(User-Agent)\n"
        "2026-10-01 10:00:02 192.0.2.3 /three 200 GPTBot/1.0"
    )
    rows = read(log).select("line", "path", "address", "status").rows()
    assert rows == [
        (3, "/one", "192.0.2.1", 200),
        (5, "/two", "192.0.2.2", 404),
        (8, "/three", "192.0.2.3", 200),
    ]


def test_a_request_without_a_host_belongs_to_no_site_if_others_have_one(tmp_path: Path) -> None:
    lines = [f"{host} {COMBINED.format('x')}" for host in ("a.example", "a.example:443", "-")]
    (tmp_path / "a.log").write_text("".join(lines))
    terms = Terms(policies_from_jsonl(['{"site": "a.example", "preset": "no-ai"}']), IdentityChecker())
    with FetchStore() as store:
        read_logs(
            [str(tmp_path / "a.log")], Evaluator(terms), store, log_format=None, advance=lambda *_: None
        )
        rows = pl.concat(store.parts()).collect().select("site", "verdict").rows()
    assert rows == [*[("a.example", "disallowed_spoofed")] * 2, (None, "allowed")]


def test_a_log_may_begin_with_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("\n" * 500 + COMBINED.format("x"))
    assert read(tmp_path / "a.log")["line"].to_list() == [501]


def test_blank_lines_alone_have_no_format_and_are_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("\n\n# nothing\n")
    assert read(tmp_path / "a.log").is_empty()


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("192.0.2.77", "192.0.2.0"),
        ("::ffff:192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::1", "::"),
        ("fe80::1%eth0", "fe80::"),
        ("somebody", "(address)"),
        (None, None),
    ],
)
def test_a_masked_address_contains_only_its_network(address: str | None, masked: str | None) -> None:
    assert masked_address(address) == masked
