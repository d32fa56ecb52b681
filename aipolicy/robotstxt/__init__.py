"""The robots.txt engine: parse, match, merge and write files; lint, compare and explain them.

It has no I/O. Each name is imported when it is first used: a server that writes robots.txt doesn't need the
linter.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aipolicy.robotstxt.diff import Difference, compare
    from aipolicy.robotstxt.explanation import Explanation, explain
    from aipolicy.robotstxt.findings import KINDS, Finding, Severity
    from aipolicy.robotstxt.linter import Report, lint
    from aipolicy.robotstxt.matching import (
        GroupIndex,
        Ruling,
        Verdict,
        binding_group,
        content_signals,
        usage_preferences,
        verdict,
    )
    from aipolicy.robotstxt.merge import FittedRobotsTxt, check_fits, fitted_robots_txt, robots_txt
    from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule

__all__ = [
    "KINDS",
    "Difference",
    "Explanation",
    "Finding",
    "FittedRobotsTxt",
    "Group",
    "GroupIndex",
    "Record",
    "Report",
    "RobotsTxt",
    "Rule",
    "Ruling",
    "Severity",
    "Verdict",
    "binding_group",
    "check_fits",
    "compare",
    "content_signals",
    "explain",
    "fitted_robots_txt",
    "lint",
    "robots_txt",
    "usage_preferences",
    "verdict",
]

_NAMES = {
    "diff": ("Difference", "compare"),
    "explanation": ("Explanation", "explain"),
    "findings": ("KINDS", "Finding", "Severity"),
    "linter": ("Report", "lint"),
    "matching": (
        "GroupIndex",
        "Ruling",
        "Verdict",
        "binding_group",
        "content_signals",
        "usage_preferences",
        "verdict",
    ),
    "merge": ("FittedRobotsTxt", "check_fits", "fitted_robots_txt", "robots_txt"),
    "parser": ("Group", "Record", "RobotsTxt", "Rule"),
}
_MODULES = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
