"""What a robots.txt really does: its mistakes, its differences from another, and who may fetch what and why.

Pure, like the core that it stands on: octets in, values out.
"""

from aipolicy.robotstxt.diff import Difference, compare
from aipolicy.robotstxt.explain import Explanation, explain
from aipolicy.robotstxt.findings import KINDS, Finding, Severity
from aipolicy.robotstxt.lint import Report, lint

__all__ = [
    "KINDS",
    "Difference",
    "Explanation",
    "Finding",
    "Report",
    "Severity",
    "compare",
    "explain",
    "lint",
]
