"""Concurrent writers, in threads and in processes."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.registry import Change, Registry
from tests.registry.conftest import ROOT

PROCESSES, COUNT = 8, 25


def test_changes_of_eight_processes_are_read_complete_and_in_order(url: str) -> None:
    command = [sys.executable, "-m", "tests.registry.writer", url]
    writers = [
        subprocess.Popen(
            [*command, f"w{number}", "1", str(COUNT)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    followed: list[Change] = []
    with Registry(url) as registry:
        while len(followed) < PROCESSES * COUNT:
            before = len(followed)
            followed += registry.changes(after=followed[-1].seq if followed else 0)
            if len(followed) == before and all(writer.poll() is not None for writer in writers):
                followed += registry.changes(after=before)
                break
        assert list(registry.changes()) == followed
    outputs = [writer.communicate()[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    acknowledged = sorted((int(seq), host) for lines in outputs for seq, host in map(str.split, lines))
    assert acknowledged == [(change.seq, change.site) for change in followed]
    assert [seq for seq, _ in acknowledged] == [*range(1, PROCESSES * COUNT + 1)]
    times = [change.at for change in followed]
    assert times == sorted(times)


def test_concurrent_puts_of_one_site_are_all_stored(registry: Registry) -> None:
    changes = []

    def write(number: int) -> None:
        for turn in range(10):
            policy = SitePolicy(site="blog.example", sitemaps=(f"https://blog.example/{number}/{turn}",))
            changes.append(registry.put(policy, by=f"thread {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changes, key=lambda change: change.seq) == registry.history("blog.example")
    assert registry.seq == len(changes) == 80
    assert registry.get("blog.example") == registry.history("blog.example")[-1].policy


def test_concurrent_changes_by_several_registries_are_all_stored(url: str) -> None:
    def more(policy: SitePolicy) -> SitePolicy:
        number = len(policy.sitemaps)
        return replace(policy, sitemaps=(*policy.sitemaps, f"https://blog.example/{number}"))

    def write() -> None:
        with Registry(url) as registry:
            for _ in range(8):
                registry.change("blog.example", more, by="ada")

    Registry(url).close()
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Registry(url) as registry:
        changes = registry.history("blog.example")
    assert [len(change.policy.sitemaps) for change in changes] == [*range(1, 33)]


def test_a_reader_never_sees_a_partial_change(registry: Registry) -> None:
    one, other = (
        SitePolicy.from_flag(True, site="blog.example"),
        SitePolicy.from_flag(False, site="blog.example"),
    )
    registry.put(one, by="ada", hosts=["one.example"])
    done = threading.Event()

    def write() -> None:
        for _ in range(40):
            registry.put(other, by="ada", hosts=["other.example"])
            registry.put(one, by="ada", hosts=["one.example"])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert registry.get("one.example") in (one, None)
        assert registry.get("other.example") in (other, None)
        assert len(registry.hosts("blog.example")) == 2
    writer.join()


def test_a_nested_write_is_refused_without_waiting(registry: Registry) -> None:
    def within(policy: SitePolicy) -> SitePolicy:
        registry.put(SitePolicy(site="other.example"), by="ada")
        return policy

    with pytest.raises(RegistryError, match="is in the middle of another write"):
        registry.change("blog.example", within, by="ada")
    assert registry.put(SitePolicy(site="blog.example"), by="ada").seq == 1
