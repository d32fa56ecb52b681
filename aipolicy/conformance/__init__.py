"""A conformance test for crawlers: a test site for each clause of RFC 9309, and a verdict for each."""

from aipolicy.conformance.clause import Clause, ClauseFinding, ClauseVerdict, Level
from aipolicy.conformance.clauses import CLAIMS, CLAUSES, clauses_named
from aipolicy.conformance.random_run import Disagreement, RandomRun, run_random_sites
from aipolicy.conformance.runner import ClauseResult, ConformanceRun, run_clauses

__all__ = [
    "CLAIMS",
    "CLAUSES",
    "Clause",
    "ClauseFinding",
    "ClauseResult",
    "ClauseVerdict",
    "ConformanceRun",
    "Disagreement",
    "Level",
    "RandomRun",
    "clauses_named",
    "run_clauses",
    "run_random_sites",
]
