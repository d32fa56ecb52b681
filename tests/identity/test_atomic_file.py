"""The file of lists stays valid if a process is killed, runs at the same time, or the disk is full."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import trustme

from aipolicy.identity.list_update import update
from aipolicy.identity.ranges_file import RangesFile
from tests.identity.list_server import ListServer
from tests.identity.test_list_update import CHATGPT, GPTBOT, listing, openai

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import ssl, sys
    from datetime import date
    from pathlib import Path
    from aipolicy.identity import list_update
    from aipolicy.identity.list_fetch import Target
    from tests.identity.list_server import LoopbackFetcher

    file, origin, trusted, *urls = sys.argv[1:]
    context = ssl.create_default_context(cafile=trusted)
    found = list_update.update(
        Path(file),
        targets=[Target(url, "OpenAI") for url in urls],
        fetcher=lambda: LoopbackFetcher(origin, context),
        waiting=lambda note: print("waiting", flush=True),
        accept=True,
    )
    print(*(each.state for each in found), flush=True)
"""


@pytest.fixture
def script(tmp_path: Path, authority: trustme.CA, lists: ListServer) -> list[str]:
    """Return the command that updates ``ranges.json`` from the lists in its arguments."""
    trusted = tmp_path / "trusted.pem"
    authority.cert_pem.write_to_path(trusted)
    (tmp_path / "update.py").write_text(textwrap.dedent(SCRIPT))
    file = tmp_path / "ranges.json"
    return [sys.executable, str(tmp_path / "update.py"), str(file), lists.origin, str(trusted)]


def started(command: list[str]) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def file(tmp_path: Path, lists: ListServer) -> Path:
    """A file after one update."""
    lists.put(GPTBOT.url, listing(*openai(1)))
    lists.put(CHATGPT.url, listing(*openai(50, 200)))
    path = tmp_path / "ranges.json"
    update(path, targets=[GPTBOT], fetcher=lists.fetcher, accept=True)
    return path


def test_a_process_killed_while_reading_leaves_the_file_and_releases_the_lock(
    lists: ListServer, file: Path, script: list[str]
) -> None:
    before = file.read_bytes()
    held = lists.held["openai.com/chatgpt-user.json"] = threading.Event()
    with started([*script, GPTBOT.url, CHATGPT.url]) as killed:
        assert lists.arrived.acquire(timeout=30)
        killed.send_signal(signal.SIGKILL)
    held.set()
    assert file.read_bytes() == before
    found = update(file, targets=[CHATGPT], fetcher=lists.fetcher, accept=True)
    assert [each.state for each in found] == ["changed"]


def test_a_process_killed_while_writing_leaves_the_file_and_releases_the_lock(
    lists: ListServer, file: Path, script: list[str]
) -> None:
    before = file.read_bytes()
    patched = Path(script[1])
    patched.write_text(
        f"import os, signal\nos.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n{patched.read_text()}"
    )
    with started([*script, CHATGPT.url]) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    assert file.read_bytes() == before
    assert file.with_name(".ranges.json.unfinished").exists()
    update(file, targets=[CHATGPT], fetcher=lists.fetcher, accept=True)
    assert not file.with_name(".ranges.json.unfinished").exists()
    assert RangesFile.read(file).ranges.of_url(CHATGPT.url)[0].superseded is None


def test_concurrent_updates_are_both_in_the_file(lists: ListServer, file: Path, script: list[str]) -> None:
    held = lists.held["openai.com/chatgpt-user.json"] = threading.Event()
    lists.put(GPTBOT.url, listing(*openai(20)))
    with started([*script, CHATGPT.url]) as first:
        assert lists.arrived.acquire(timeout=30)
        with started([*script, GPTBOT.url]) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting\n"
            held.set()
            assert second.communicate(timeout=30)[0] == "changed\n"
        assert first.communicate(timeout=30)[0] == "changed\n"
    ranges = RangesFile.read(file).ranges
    assert {str(net) for each in ranges.of_url(GPTBOT.url) for net in each.prefixes} == set(openai(20))
    assert sum(len(each.prefixes) for each in ranges.of_url(CHATGPT.url)) == 200


def test_on_a_full_disk_the_old_file_stays(lists: ListServer, file: Path, script: list[str]) -> None:
    before = file.read_bytes()

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*script, CHATGPT.url],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=little_room,
    )
    assert "RangesError" in done.stderr
    assert "can't be written" in done.stderr
    assert "free disk space" in done.stderr
    assert file.read_bytes() == before
    assert not file.with_name(".ranges.json.unfinished").exists()
