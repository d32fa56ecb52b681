"""Failures of the generator: every file is complete, no opt-out is lost, and the next run resumes."""

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aipolicy.bulk import generator
from aipolicy.bulk.generator import Generator
from aipolicy.bulk.host_folder import FILES, HostFolder
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.registry import Registry
from aipolicy.rendering import render
from tests.bulk.folders import NO, OPTED_OUT, SILENT, did, expected, files, write
from tests.registry.conftest import ROOT, raw


def test_an_unreadable_policy_does_not_stop_the_others(registry: Registry, url: str, out: Path) -> None:
    names = ["a.example", "b.example", "c.example", "d.example"]
    registry.put_many((SitePolicy.from_preset("no-ai", site=name) for name in names[:2]), by="import")
    registry.put(SitePolicy(site="c.example"), by="import")
    write(registry, out)
    was = files(out)
    registry.put_many((OPTED_OUT.for_site(name) for name in names), by="import")
    with raw(url) as connection:
        connection.exec_driver_sql(
            "UPDATE site SET policy = '{' WHERE name IN ('b.example', 'c.example', 'd.example')"
        )
    summary = write(registry, out)
    assert summary.failed == 3
    assert "'b.example' can't be used" in summary.errors[0]
    # The last opt-out stays; a host without one gets the default.
    assert files(out) == {"a.example": NO, "b.example": was["b.example"], "c.example": NO, "d.example": NO}


def test_equal_files_are_hard_links_and_are_replaced_separately(registry: Registry, out: Path) -> None:
    registry.put_many((OPTED_OUT.for_site(f"b{n}.example") for n in range(50)), by="import")
    write(registry, out)
    inodes = {path.stat().st_ino for path in (out / FILES).glob("*/*")}
    assert len(inodes) == 1
    assert all(not path.stat().st_mode & 0o222 for path in (out / FILES).glob("*/*"))
    registry.put(SitePolicy(site="b0.example"), by="ada")
    write(registry, out)
    assert files(out) == expected(registry)
    assert files(out)["b0.example"] == SILENT
    assert files(out)["b1.example"] == NO


@pytest.mark.parametrize("error", [errno.EMLINK, errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_there_are_copies(
    registry: Registry, out: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    real, links = os.link, []

    def link(source: str, target: str) -> None:
        links.append(target)
        if error != errno.EMLINK or len(links) % 3 == 0:
            raise OSError(error, os.strerror(error))
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    registry.put_many((OPTED_OUT.for_site(f"b{n}.example") for n in range(12)), by="import")
    assert write(registry, out).written == 12
    assert files(out) == expected(registry)
    registry.put_many((SitePolicy(site=f"b{n}.example") for n in range(12)), by="import")
    assert write(registry, out).written == 12
    assert files(out) == expected(registry)


def test_a_full_disk_leaves_complete_files_and_the_next_run_resumes(
    registry: Registry, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put_many((OPTED_OUT.for_site(f"b{n}.example") for n in range(30)), by="import")
    real, calls = os.link, 0

    def link(source: str, target: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="No space"):
        write(registry, out)
    assert set(files(out).values()) == {NO}
    write(registry, out)
    assert files(out) == expected(registry)


def test_a_folder_has_one_writer_at_a_time(registry: Registry, out: Path) -> None:
    with HostFolder(out), pytest.raises(AIPolicyError, match="is writing to"):
        HostFolder(out)
    assert write(registry, out).seq == 0


@pytest.mark.slow
def test_after_a_kill_every_file_is_complete_and_the_next_run_resumes(url: str, out: Path) -> None:
    chance = random.Random(7)
    presets = list(PRESETS)
    bodies = {render(SitePolicy.from_preset(preset)).robots.body for preset in presets}
    with Registry(url) as registry:
        for number in range(8):
            registry.put_many(
                (
                    SitePolicy.from_preset(presets[(n + number) % 4], site=f"b{n}.example")
                    for n in range(1500)
                ),
                by="import",
            )
            command = [sys.executable, "-m", "tests.bulk.writer", url, str(out)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
                assert child.stdout
                assert child.stdout.readline() == b"ready\n"
                time.sleep(chance.uniform(0, 0.15))
                child.kill()
            assert bodies.issuperset(
                path.read_bytes() for path in (out / FILES).glob("*/*") if path.name[0] != "."
            )
        write(registry, out)
        assert files(out) == expected(registry)
        write(registry, out, full=True)
        assert not list(out.glob("**/*.unfinished"))


def test_an_interrupted_first_pass_resumes(
    registry: Registry, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_CHECKPOINT", 10)
    registry.put_many((OPTED_OUT.for_site(f"b{n:02}.example") for n in range(40)), by="import")

    class Interrupted(HostFolder):
        def put(self, host: str, body: bytes, kind: str = FILES) -> bool:
            if host == "b25.example":
                raise KeyboardInterrupt
            return super().put(host, body, kind)

    with Interrupted(out) as folder, pytest.raises(KeyboardInterrupt):
        Generator(registry, folder).run()
    registry.put(SitePolicy(site="b03.example"), by="ada")
    summary = write(registry, out)
    assert did(summary) == (16, 5, 0)
    assert files(out) == expected(registry)


def test_an_unfinished_file_of_a_killed_run_is_not_truncated(registry: Registry, out: Path) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    write(registry, out)
    folder = out / FILES / "og"
    os.link(folder / "blog.example", folder / ".unfinished")
    registry.put(SitePolicy.from_preset("no-ai", site="blog.example"), by="ada", hosts=[])
    write(registry, out)
    os.link(folder / "blog.example", folder / ".unfinished")
    write(registry, out, full=True)
    assert files(out) == expected(registry)
    assert not (folder / ".unfinished").exists()
