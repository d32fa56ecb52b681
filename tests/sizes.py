"""Sizes of long tests: small in `make test`, full in `make proof`."""

import os

FULL = bool(os.environ.get("AIPOLICY_PROOF"))


def size(*, full: int, ci: int) -> int:
    """Return ``full`` under ``make proof``, and ``ci`` otherwise.

    A test that asks for a size has the mark ``proof``: ``make proof`` runs those tests only.
    """
    return full if FULL else ci
