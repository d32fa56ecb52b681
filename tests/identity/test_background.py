"""Background workers: bounded, each key once, and no errors at the end of the process."""

import logging
import os
import subprocess
import sys
import threading

import pytest

from aipolicy.identity.background import BackgroundWorkers
from tests.forking import in_child


def test_background_work_is_bounded_and_each_key_runs_once() -> None:
    going, done = threading.Event(), []

    def work(key: int) -> None:
        going.wait(10)
        done.append(key)

    workers = BackgroundWorkers(work, threads=2, max_waiting=3)
    assert all(workers.start(1) for _ in range(10))
    started = [workers.start(key) for key in range(2, 30)]
    assert started.count(True) <= 5
    assert not workers.start(99)
    going.set()
    workers.wait_until_idle()
    assert len(done) == len(set(done)) == 1 + started.count(True)
    assert workers.start(99)
    workers.wait_until_idle()


def test_one_group_can_not_use_all_workers() -> None:
    going, done = threading.Event(), []

    def work(key: str) -> None:
        going.wait(10)
        done.append(key)

    workers = BackgroundWorkers(work, threads=1, max_waiting=10, group_of=lambda key: key[0], per_group=2)
    assert [workers.start(key) for key in ("a1", "a2", "a3", "b1", "a1")] == [True, True, False, True, True]
    going.set()
    workers.wait_until_idle()
    assert done == ["a1", "a2", "b1"]
    assert workers.start("a3")
    workers.wait_until_idle()


def test_an_error_in_a_worker_is_logged_and_others_continue(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = []

    def work(key: int) -> None:
        done.append(1 / key)

    workers = BackgroundWorkers(work, threads=1, max_waiting=5)
    with caplog.at_level(logging.ERROR, "aipolicy.identity"):
        workers.start(0)
        workers.start(1)
        workers.wait_until_idle()
    assert done == [1.0]
    assert "internal error" in caplog.text


def test_a_process_ends_without_errors_during_a_look_up() -> None:
    """No thread can be started while the process ends."""
    code = """
import socket, time
from concurrent.futures import ThreadPoolExecutor
from aipolicy.identity import Resolver, Verification
from tests.identity.signatures.signing import Signer

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
resolver = Resolver(nameservers=["127.0.0.1"], port=silent.getsockname()[1], timeout=0.05, total_timeout=0.05)
urls = [f"https://a{number}.invalid" for number in range(8)]
verification = Verification(resolver=resolver, agents={url: ["YouBot"] for url in urls})
verification.verify("YouBot", None)
ThreadPoolExecutor(1).submit(time.sleep, 0.5)
for number, url in enumerate(urls):
    verification.verify("YandexBot", f"5.255.{number}.1")
    verification.verify("YouBot", "8.8.8.8", Signer().sign(agent=f'sig1="{url}"', created=time.time()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""


def test_a_child_process_starts_with_idle_workers() -> None:
    going = threading.Event()
    done: list[str] = []

    def work(key: str) -> None:
        if os.getpid() == parent:
            going.wait(30)
        done.append(key)

    def child() -> None:
        assert workers.start("a")
        assert workers.start("b")
        workers.wait_until_idle()
        assert sorted(done) == ["a", "b"]

    parent = os.getpid()
    workers = BackgroundWorkers(work, threads=1, max_waiting=1)
    assert workers.start("a")
    assert workers.start("b")
    in_child(child)
    going.set()
    workers.wait_until_idle()
    assert done == ["a", "b"]
