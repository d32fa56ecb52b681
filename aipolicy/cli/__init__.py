"""The ``aipolicy`` command: one file a command group."""

from aipolicy.cli.main import main

__all__ = ["main"]
