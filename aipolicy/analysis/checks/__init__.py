"""The checks: each a function from a file to what it found."""

from collections.abc import Callable, Iterator

from aipolicy.analysis.checks import fields, groups, octets, reach, readings, rules, signals, tokens
from aipolicy.analysis.file import File
from aipolicy.analysis.findings import Finding

Check = Callable[[File], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    octets.check,
    fields.check,
    groups.check,
    tokens.check,
    rules.check,
    signals.check,
    reach.check,
    readings.check,
)

__all__ = ["CHECKS", "Check"]
