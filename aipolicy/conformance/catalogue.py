"""All clauses, in the order in which they are told."""

from collections.abc import Iterable

from aipolicy.conformance.access_clauses import ACCESS_CLAUSES, ROBOTS_FIRST
from aipolicy.conformance.clause import Clause
from aipolicy.conformance.file_clauses import FILE_CLAUSES
from aipolicy.conformance.group_clauses import GROUP_CLAUSES
from aipolicy.conformance.product_tokens import NAME
from aipolicy.conformance.rule_clauses import RULE_CLAUSES
from aipolicy.errors import CrawlerTestError

CLAUSES: tuple[Clause, ...] = (
    ROBOTS_FIRST,
    NAME,
    *GROUP_CLAUSES,
    *RULE_CLAUSES,
    *FILE_CLAUSES,
    *ACCESS_CLAUSES,
)

CLAIMS: tuple[str, ...] = tuple(clause.claim for clause in CLAUSES if clause.claim)
"""What no MUST of RFC 9309 asks, and a crawler may claim."""


def clauses_named(names: Iterable[str]) -> tuple[Clause, ...]:
    """Those clauses, or all where none is named. Raises CrawlerTestError."""
    names = list(names)
    known = {clause.id for clause in CLAUSES}
    for name in names:
        if name not in known:
            raise CrawlerTestError(f"--only {name!r} is no clause: --list shows them")
    return tuple(clause for clause in CLAUSES if not names or clause.id in names)


def with_required(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Return the clauses and those that they require, each before what requires it."""
    by_id = {clause.id: clause for clause in CLAUSES}
    found: dict[str, Clause] = {}

    def add(clause: Clause) -> None:
        if clause.id not in found:
            if clause.requires:
                add(by_id[clause.requires])
            found[clause.id] = clause

    for clause in clauses:
        add(clause)
    return tuple(found.values())
