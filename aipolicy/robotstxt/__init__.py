"""The robots.txt engine: parse, match, merge and write files; find mistakes, compare, explain.

No I/O: bytes in, values out.
"""

from aipolicy.robotstxt.diff import Difference, compare
from aipolicy.robotstxt.explain import Explanation, explain
from aipolicy.robotstxt.findings import KINDS, Finding, Severity
from aipolicy.robotstxt.lint import Report, lint
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
