"""Helpers that run a function in a forked child process."""

import os
import signal
import traceback
import warnings
from collections.abc import Callable


def start_child(function: Callable[[], object], seconds: int = 30) -> int:
    """Fork, and return the child's process ID. It exits with 0 if ``function`` returns; a hang is killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns where there are threads
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def join_child(pid: int) -> None:
    """Wait for a child, and fail if it failed."""
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"the child ended with {status}: see its traceback above"


def in_child(function: Callable[[], object], seconds: int = 30) -> None:
    """Run ``function`` in a child, and fail if it fails or hangs."""
    join_child(start_child(function, seconds))
