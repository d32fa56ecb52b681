"""The clauses that a crawler is tested for, in the order of the report."""

from collections.abc import Iterable

from aipolicy.conformance.clause import Clause
from aipolicy.conformance.clauses.access import ACCESS_CLAUSES, ROBOTS_FIRST
from aipolicy.conformance.clauses.file_format import FILE_CLAUSES
from aipolicy.conformance.clauses.groups import GROUP_CLAUSES
from aipolicy.conformance.clauses.product_token import OWN_NAME
from aipolicy.conformance.clauses.rules import RULE_CLAUSES
from aipolicy.errors import CrawlerTestError

CLAUSES: tuple[Clause, ...] = (
    ROBOTS_FIRST,
    OWN_NAME,
    *GROUP_CLAUSES,
    *RULE_CLAUSES,
    *FILE_CLAUSES,
    *ACCESS_CLAUSES,
)

CLAIMS: tuple[str, ...] = tuple(clause.claim for clause in CLAUSES if clause.claim)
"""Optional features that a crawler may claim to have."""


def clauses_named(names: Iterable[str]) -> tuple[Clause, ...]:
    """Return the clauses with these names, or all clauses if there are no names.

    Raises:
        CrawlerTestError: There is no such clause.
    """
    names = list(names)
    known = {clause.id for clause in CLAUSES}
    for name in names:
        if name not in known:
            raise CrawlerTestError(f"--only {name!r} is not a clause; --list shows all clauses")
    return tuple(clause for clause in CLAUSES if not names or clause.id in names)


def with_required(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Return the clauses and those that they require, each after the ones it requires."""
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
