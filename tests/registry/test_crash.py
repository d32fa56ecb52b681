"""A registry whose writer is killed: it has every acknowledged opt-out, and a consistent history."""

import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from aipolicy.registry import Registry
from tests.registry.conftest import ROOT

ROUNDS, LONGEST = 12, 0.25


def test_no_acknowledged_opt_out_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "aipolicy.db"
    url = f"sqlite:///{file}"
    rng = random.Random(20261101)
    command = [sys.executable, "-m", "tests.registry.writer", url]
    writers = [
        subprocess.Popen(
            [*command, f"round{number}", "2"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(ROUNDS)
    ]
    acknowledged: dict[int, str] = {}
    try:
        for writer in writers:
            acknowledged |= _killed_after(rng.uniform(0, LONGEST), writer)
            _check(file, acknowledged)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(acknowledged) > ROUNDS, "the writers were killed before they wrote anything worth a test"


def _killed_after(seconds: float, writer: subprocess.Popen[str]) -> dict[int, str]:
    """Return the changes that the writer acknowledged before it was killed."""
    assert writer.stdin
    assert writer.stdout
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write("go\n")
    writer.stdin.flush()
    time.sleep(seconds)
    assert writer.poll() is None, "the writer ended by itself"
    writer.kill()
    acknowledged = [line.split() for line in writer.stdout]
    return {int(seq): host for seq, host in acknowledged}


def _check(file: Path, acknowledged: dict[int, str]) -> None:
    with Registry(f"sqlite:///{file}") as registry:
        changes = list(registry.changes())
        assert [change.seq for change in changes] == [*range(1, registry.seq + 1)]
        by_seq = {change.seq: change for change in changes}
        for seq, host in acknowledged.items():
            assert by_seq[seq].site == host
            assert by_seq[seq].policy.opted_out
        folded = {change.site: change for change in changes}
        assert {policy.site: policy for policy in registry.sites()} == {
            site: change.policy for site, change in folded.items()
        }
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        hosts = connection.execute(
            "SELECT host, name, site.seq FROM host JOIN site ON id = site_id"
        ).fetchall()
    assert sorted(hosts) == sorted(
        (host, site, change.seq) for site, change in folded.items() for host in change.hosts
    )
