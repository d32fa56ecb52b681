"""A conformance test for crawlers: a trap for each clause of RFC 9309, and what a crawler does in it."""

from aipolicy.conformance.catalogue import CLAIMS, CLAUSES, clauses_named
from aipolicy.conformance.clause import Clause, Finding, Level, Verdict
from aipolicy.conformance.random_run import Disagreement, RandomTrial, try_at_random
from aipolicy.conformance.runner import Result, Trial, try_out

__all__ = [
    "CLAIMS",
    "CLAUSES",
    "Clause",
    "Disagreement",
    "Finding",
    "Level",
    "RandomTrial",
    "Result",
    "Trial",
    "Verdict",
    "clauses_named",
    "try_at_random",
    "try_out",
]
