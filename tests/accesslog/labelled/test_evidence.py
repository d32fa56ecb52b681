"""The evidence of disallowed fetches can be traced to the lines of the log."""

import csv
import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from tests.accesslog.labelled import linewise
from tests.accesslog.labelled.command import check_logs
from tests.accesslog.labelled.definitions import rule_text
from tests.accesslog.labelled.oracle import COUNTERS, counter_of, disallowed_lines
from tests.accesslog.labelled.results import moment
from tests.accesslog.labelled.test_exact import ALL
from tests.accesslog.labelled.worlds import World, make_world


def test_the_evidence_is_each_disallowed_fetch_with_its_line_and_hash(tmp_path: Path) -> None:
    forms = {"a.log": linewise.VCOMBINED, "b.log.gz": linewise.VCOMBINED_APACHE, "c.log": linewise.VCOMBINED}
    world = make_world(tmp_path, 71, forms, requests=3000)
    check_logs(tmp_path, *world.names, *world.policies, *ALL, "--evidence", "evidence.parquet")
    rows = pl.read_parquet(tmp_path / "evidence.parquet")
    found = sorted(rows.select("file", "line", "sha256").iter_rows())
    wanted = [(file.name, number, line.sha256) for file, number, line, _ in disallowed_lines(world.files)]
    assert len(wanted) > 50
    assert found == sorted(wanted)
    by_line = {(file.name, number): request for file, number, _, request in disallowed_lines(world.files)}
    for row in rows.iter_rows(named=True):
        request = by_line[row["file"], row["line"]]
        assert request.judgement is not None
        assert (row["product_token"], row["site"]) == (request.crawler, request.site)
        assert (row["verdict"], row["identity"]) == (counter_of(request), request.client.identity)
        assert row["status"] == request.status
        assert request.judgement.rule is not None
        assert (rule_text(row["rule"]), row["rule_line"]) == (
            request.judgement.rule.text,
            request.judgement.rule.line,
        )


def test_the_evidence_is_empty_if_nothing_was_disallowed(tmp_path: Path) -> None:
    world = make_world(tmp_path, 72, {"access.log": linewise.COMBINED}, requests=300)
    arguments = (*world.names, *world.options, *world.policies, "--since", "2031-01-01")
    outcome = check_logs(tmp_path, *arguments, "--evidence", "e.parquet")
    assert outcome.code == 0
    assert pl.read_parquet(tmp_path / "e.parquet").height == 0


def test_the_hash_is_of_the_line_without_its_end(tmp_path: Path) -> None:
    world = make_world(tmp_path, 73, {"access.log": linewise.VCOMBINED}, requests=500)
    text = b"\r\n".join(line.raw for line in world.files[0].lines)  # and none at the last one
    (tmp_path / "access.log").write_bytes(text)
    check_logs(tmp_path, *world.names, *world.policies, "--evidence", "e.parquet")
    hashes = set(pl.read_parquet(tmp_path / "e.parquet")["sha256"])
    assert hashes == {line.sha256 for _, _, line, _ in disallowed_lines(world.files)}


def test_each_example_is_a_disallowed_fetch_of_that_crawler(world: World) -> None:
    document = check_logs(world.folder, *world.names, *world.policies, *ALL).document
    by_line = {(file.name, number): (line, r) for file, number, line, r in disallowed_lines(world.files)}
    listed = 0
    for crawler in document["crawlers"]:
        assert bool(crawler["examples"]) == bool(crawler["disallowed"])
        assert len(crawler["spoofed_examples"]) == crawler["disallowed_spoofed"]
        for example in (*crawler["examples"], *crawler["spoofed_examples"]):
            listed += 1
            assert (example["identity"] == "spoofed") is (example in crawler["spoofed_examples"])
            assert_is(example, crawler["product_token"], *by_line[example["file"], example["line"]], world)
    assert listed > 10


def assert_is(example: dict[str, Any], token: str, line: Any, request: Any, world: World) -> None:
    rule = request.judgement.rule
    assert token == request.crawler
    assert (example["site"], example["status"]) == (request.site, request.status)
    assert moment(example["time"]) == request.time
    assert (rule_text(example["rule"]), example["rule_line"]) == (rule.text, rule.line)
    assert example["sha256"] == line.sha256
    assert example["user_agent"] == request.client.user_agent
    assert request.client.identity == example["identity"]
    policy_line = world.policy_lines[request.site, request.judgement.version.at]
    assert example["policy"] == f"line {policy_line}"
    if request.path.isascii() and request.path.decode().isprintable() and b" " not in request.path:
        assert example["path"] == request.path.decode()


def test_the_first_unreadable_lines_are_listed(world: World) -> None:
    document = check_logs(world.folder, *world.names, *world.policies, *ALL).document
    unreadable = {
        (file.name, number)
        for file in world.files
        for number, line in enumerate(file.lines, 1)
        if line.kind == "unreadable"
    }
    listed = [(entry["file"], entry["line"]) for entry in document["unreadable"]]
    assert listed
    assert listed == sorted(unreadable)[: len(listed)]


def test_the_csv_has_every_crawler_with_its_counters(world: World) -> None:
    ran = check_logs(world.folder, *world.names, *world.policies, "--csv")
    rows = {row["product_token"]: row for row in csv.DictReader(io.StringIO(ran.out.decode()))}
    for token, wanted in world.expected()["crawlers"].items():
        assert [int(rows[token][name]) for name in ("fetches", *COUNTERS)] == [
            wanted[name] for name in ("fetches", *COUNTERS)
        ]


def _full_addresses(world: World) -> set[str]:
    """Return all of every crawler, and every unreadable line."""
    lines = [line for file in world.files for line in file.lines]
    crawlers = {line.request.client.address.removeprefix("::ffff:") for line in lines if line.request}
    unreadable = b" ".join(line.raw for line in lines if line.kind == "unreadable")
    return crawlers | {found.decode() for found in re.findall(rb"\d+\.\d+\.\d+\.[1-9]\d*", unreadable)}


def _written_by(world: World, *options: str) -> dict[str, bytes]:
    """Return everything that the command writes."""
    arguments = (*world.names, *world.policies, *options)
    outcome = check_logs(world.folder, *arguments, *ALL, "--html", "r.html", "--evidence", "e.parquet")
    table = check_logs(world.folder, *arguments, "--by", "path", "--top", "1000")
    evidence = pl.read_parquet(world.folder / "e.parquet").write_ndjson()
    return {
        "json": outcome.out,
        "html": (world.folder / "r.html").read_bytes(),
        "evidence": evidence.encode(),
        "csv": check_logs(world.folder, *arguments, "--csv").out,
        "table": table.out,
        "notes": (outcome.err + table.err).encode(),
    }


def test_a_masked_report_contains_no_address(world: World) -> None:
    """Unreadable lines are masked too."""
    addresses = _full_addresses(world)
    plainly = _written_by(world)
    assert any(address.encode() in plainly["evidence"] for address in addresses)
    written = _written_by(world, "--mask-ip")
    left = {name: [a for a in addresses if _stands_in(a, text)] for name, text in written.items()}
    assert left == {name: [] for name in written}


def test_masking_changes_no_number(world: World) -> None:
    def numbers(*options: str) -> Any:
        document = check_logs(world.folder, *world.names, *world.policies, *ALL, *options).document
        return [{k: v for k, v in c.items() if "examples" not in k} for c in document["crawlers"]]

    assert numbers("--mask-ip") == numbers()


def _stands_in(address: str, text: bytes) -> bool:
    """Return True if the whole address occurs: 192.0.2.1 isn't in 192.0.2.19."""
    at = text.find(address.encode())
    while at >= 0:
        following = text[at + len(address) : at + len(address) + 1]
        if not (following.isdigit() or following in (b"a", b"b", b"c", b"d", b"e", b"f")):
            return True
        at = text.find(address.encode(), at + 1)
    return False


def test_two_runs_differ_only_in_their_time(world: World) -> None:
    def summary() -> dict[str, Any]:
        document = check_logs(world.folder, *world.names, *world.policies, *ALL, "--by", "path").document
        assert document.pop("made")
        return document

    assert summary() == summary()


def test_splitting_or_compressing_a_log_changes_no_number(tmp_path: Path) -> None:
    """A log in two files, compressed, or in one file gives the same numbers."""
    world = make_world(tmp_path, 74, {"access.log": linewise.VCOMBINED}, requests=1500)
    data = b"".join(line.raw + b"\n" for line in world.files[0].lines)
    cut = data.index(b"\n", len(data) // 3) + 1
    write: list[tuple[str, Callable[[bytes], bytes], bytes]] = [
        ("one.log", bytes, data[:cut]),
        ("two.log.gz", gzip.compress, data[cut:]),
    ]
    for name, pack, part in write:
        (tmp_path / name).write_bytes(pack(part))

    def numbers(*names: str) -> Any:
        document = check_logs(tmp_path, *names, *world.policies, *ALL).document
        return [{k: v for k, v in c.items() if "examples" not in k} for c in document["crawlers"]], document[
            "lines"
        ]

    assert numbers("one.log", "two.log.gz") == numbers("access.log") == numbers("two.log.gz", "one.log")
