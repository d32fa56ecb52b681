"""Functions that run ``aipolicy check logs``, as a program or in this process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import aipolicy

_COMMAND = ("check", "logs")
_SOURCE = str(Path(aipolicy.__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: bytes
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Return the JSON document that the command printed."""
        assert self.code in (0, 1), self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


def check_logs(folder: Path, *arguments: str | Path, stdin: bytes = b"", timeout: float = 120) -> Outcome:
    """Run the command as a program in ``folder``; fail if it prints a traceback."""
    ran = subprocess.run(
        program(*arguments),
        cwd=folder,
        env=environment(),
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    outcome = Outcome(ran.returncode, ran.stdout, ran.stderr.decode(errors="replace"))
    assert outcome.code in (0, 1, 2), outcome.err
    assert "Traceback" not in outcome.err, outcome.err
    return outcome


def check_logs_here(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run the command in this process, which is faster for thousands of small logs."""
    from aipolicy.cli import main

    ran = CliRunner().invoke(main, [*_COMMAND, *map(str, arguments)], input=stdin)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code in (0, 1, 2), ran.stderr
    return Outcome(ran.exit_code, ran.stdout_bytes, ran.stderr)


def program(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "aipolicy", *_COMMAND, *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return this process's environment with the path of the package that the tests import."""
    return {**os.environ, "PYTHONPATH": _SOURCE}
