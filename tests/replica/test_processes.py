"""Real processes: killed followers, a stopped PostgreSQL, and correct answers throughout."""

import asyncio
import json
import logging
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry
from aipolicy.registry.replica import Replica
from tests.lookup.test_local_processes import READER, process
from tests.postgres import OwnServer, Schemas
from tests.registry.conftest import ROOT
from tests.replica.helpers import ENOUGH, eventually, follower, is_at_work, is_copy, read, seq, trouble
from tests.soak.processes import children, paused
from tests.soak.proxy import Proxy, socket_of

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
KILLS = 6


def test_a_follower_killed_at_any_time_misses_no_change(url: str, file: Path) -> None:
    rng = random.Random(20261124)
    with Registry(url) as registry:
        registry.put_many([SitePolicy(site=f"blog{number}.example") for number in range(20_000)], by="import")
        done = threading.Event()

        def write() -> None:
            number = 0
            while not done.is_set():
                number += 1
                hosts = [f"w{number % 50}-{n}.example" for n in range(number % 3)]
                registry.put(
                    SitePolicy.from_flag(bool(number % 2), site=f"w{number % 50}.example"),
                    by="w",
                    hosts=hosts,
                )

        writer = threading.Thread(target=write)
        writer.start()
        try:
            answers = []
            for kill in range(KILLS):
                with follower(url, file) as process:
                    assert process.stderr is not None
                    assert process.stderr.readline()  # it is at work; the first ones fill
                    time.sleep(rng.uniform(0, 0.3 + 0.1 * kill))
                    process.kill()
                    process.wait()
                if file.exists():
                    assert read(file, "SELECT count(*) > 20000, max(seq) FROM change") == [(1, seq(file))]
                    assert read(file, "PRAGMA quick_check") == [("ok",)]
                    answers.append(seq(file))
        finally:
            done.set()
            writer.join()
        assert answers == sorted(answers)  # type: ignore[type-var]
        with follower(url, file):
            eventually(lambda: seq(file) == registry.seq)
    assert is_copy(file, url)


async def test_requests_are_answered_during_an_outage_of_postgresql(
    postgres_server: OwnServer, file: Path
) -> None:
    with Schemas(postgres_server.url) as schemas:
        url = schemas.new()
        with Registry(url) as registry:
            registry.put(OPTED_OUT, by="ada")
            for number in range(50):
                registry.put(SitePolicy(site=f"blog{number}.example"), by="ada")
            with follower(url, file) as process:
                eventually(lambda: seq(file) == 51)
                lookup = LocalLookup(file, refresh=0.05, maxsize=10)
                postgres_server.stop()
                try:
                    wrong = await _asked_for(lookup, 2.5)
                    eventually(lambda: "check the host and port" in trouble(file))
                finally:
                    postgres_server.start()
                registry.put(SitePolicy.from_flag(False, site="blog.example"), by="ada")
                eventually(lambda: seq(file) == 52)
                await asyncio.sleep(0.06)
                assert not (await lookup.find(b"blog.example")).policy.opted_out
                eventually(lambda: trouble(file) == "")
                lookup.close()
                process.terminate()
                log = process.communicate(timeout=30)[1]
        assert is_copy(file, url)
    assert wrong == []
    assert process.returncode == 0
    assert "s behind" in log
    assert "up to date again" in log
    assert log.count("check the host and port") == 1, log


async def _asked_for(lookup: LocalLookup, seconds: float) -> list[bytes]:
    """Return the hosts with wrong answers in the meantime."""
    wrong = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for host in (b"blog.example", *(b"blog%d.example" % number for number in range(50))):
            rendering = lookup.peek(host) or await lookup.find(host)
            if rendering.policy.opted_out != (host == b"blog.example") or rendering is lookup.default:
                wrong.append(host)
        await asyncio.sleep(0.01)
    return wrong


def test_a_change_is_in_force_in_another_process(url: str, file: Path) -> None:
    with Registry(url) as registry:
        registry.put(SitePolicy(site="blog.example"), by="ada")
        with follower(url, file):
            eventually(lambda: seq(file) == 1)
            with process(READER, file, 0.25) as reader:
                registry.put(OPTED_OUT, by="ada")
                assert reader.stdout is not None
                assert reader.stdout.readline(), "it ends where it never sees the change"


def test_the_status_of_a_replica_has_its_progress_and_its_follower(url: str, file: Path) -> None:
    with Registry(url) as registry:
        registry.put(OPTED_OUT, by="ada")
        with follower(url, file) as process:
            eventually(lambda: seq(file) == 1)
            command = ["show", "--status", "--registry", f"sqlite:///{file}", "--json"]
            done = subprocess.run(
                [sys.executable, "-m", "aipolicy", *command],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            status = json.loads(done.stdout)
            assert (status["sites"], status["changes"], status["registry_id"]) == (1, 1, registry.registry_id)
            assert (status["follower"], status["changes_behind"], status["trouble"]) == (process.pid, 0, None)
            assert status["replica_of"].startswith("postgresql://")


def test_a_registry_elsewhere_is_refused_by_the_command(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aipolicy", "replica", "--to", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "use a registry in PostgreSQL" in done.stderr


def test_a_connection_that_is_lost_silently_times_out(
    postgres_server: OwnServer, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aipolicy.registry.replica.source.ANSWER_TIMEOUT", 0.5)
    with Schemas(postgres_server.url) as schemas, Proxy(socket_of(postgres_server.url)) as network:
        url = schemas.new()
        with Registry(url) as registry, Replica(network.through(url), file):
            registry.put(OPTED_OUT, by="ada")
            eventually(lambda: seq(file) == 1)
            network.lose()
            registry.put(SitePolicy(site="other.example"), by="ada")
            eventually(lambda: seq(file) == 2)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "no answer in 0.5 s" in warning


def test_a_server_that_stops_answering_is_logged_and_in_the_status(
    postgres_server: OwnServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.registry.replica.source.ANSWER_TIMEOUT", 0.5)
    with Schemas(postgres_server.url) as schemas:
        url = schemas.new()
        with Registry(url) as registry, Replica(url, file):
            registry.put(OPTED_OUT, by="ada")
            eventually(lambda: seq(file) == 1)
            with paused(postgres_server.pid, *children(postgres_server.pid)):
                eventually(lambda: "no answer in 0.5 s" in trouble(file))
            registry.put(SitePolicy(site="other.example"), by="ada")
            eventually(lambda: seq(file) == 2)
            eventually(lambda: trouble(file) == "")


def test_a_follower_ends_at_once_while_nothing_answers(postgres_server: OwnServer, file: Path) -> None:
    with Schemas(postgres_server.url) as schemas:
        url = schemas.new()
        with Registry(url) as registry, follower(url, file) as process:
            registry.put(OPTED_OUT, by="ada")
            eventually(lambda: seq(file) == 1)
            with paused(postgres_server.pid, *children(postgres_server.pid)):
                time.sleep(0.5)  # it asks every quarter of a second
                process.terminate()
                log = process.communicate(timeout=5)[1]
    assert process.returncode == 0
    assert "behind" not in log


def inode_of(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


async def test_damage_found_by_a_reader_is_repaired(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Damage pages that no change touches, so that the follower itself never reads them."""
    monkeypatch.setattr("aipolicy.registry.replica.file.SETTLED", 0.0)
    hosts = [f"blog{number}.example" for number in range(2000)]
    with Registry(url) as registry:
        registry.put_many([SitePolicy(site=host) for host in hosts], by="import")
        with Replica(url, file):
            eventually(lambda: is_at_work(file))
            lookup = LocalLookup(file, refresh=0.01)
            assert (await lookup.find(b"blog0.example")) is not lookup.default
            before = file.stat().st_ino
            size = file.stat().st_size
            with file.open("r+b") as opened:
                opened.seek(size // 4)
                opened.write(random.Random(1).randbytes(size // 2))
            async with asyncio.timeout(ENOUGH):
                while inode_of(file) in (None, before):  # in between there is none
                    for host in hosts:
                        await lookup.find(host.encode())
                    await asyncio.sleep(0.01)  # the follower is a thread of this process
            eventually(lambda: is_at_work(file))
            await asyncio.sleep(1.1)
            for host in hosts:
                assert (await lookup.find(host.encode())) is not lookup.default
            assert lookup.status().error == ""
            lookup.close()
    assert "a reader found it damaged" in caplog.text
