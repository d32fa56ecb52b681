"""The process of a crawler: its time limit, and the end of all its children."""

import os
import signal
import subprocess
from pathlib import Path

from aipolicy.conformance.process import run
from tests.conformance.processes import assert_ended, needs_setsid


async def test_the_time_to_terminate_a_crawler_does_not_count() -> None:
    ending = await run(("sh", "-c", "trap '' TERM; sleep 30 & wait; sleep 30"), 0.5)
    assert ending.stopped
    assert ending.seconds < 1.5


@needs_setsid
async def test_only_processes_of_the_crawl_are_ended(tmp_path: Path) -> None:
    pids, begun = tmp_path / "pids", tmp_path / "begun"
    with subprocess.Popen(("setsid", "cat"), stdin=subprocess.PIPE) as others:  # until its input is closed
        daemon = f"echo $$ > {pids}; sleep 300 & echo $! >> {pids}; echo begun; echo > {begun}; wait"
        ending = await run(("sh", "-c", f"setsid sh -c '{daemon}' & {_until(begun)}"), 30)
        assert (ending.stopped, ending.output) == (False, "begun\n")
        assert_ended(*pids.read_text().split())
        assert others.poll() is None


@needs_setsid
async def test_a_process_that_keeps_the_pipe_open_is_not_awaited(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    stray = f"env -i setsid sh -c 'echo $$ > {pid}; exec sleep 60'"
    ending = await run(("sh", "-c", f"echo begun; {stray} & {_until(pid)}"), 30)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert (ending.exit_code, ending.stopped, ending.output) == (0, False, "begun\n")


def _until(written: Path) -> str:
    return f"until [ -s {written} ]; do sleep 0.01; done"
