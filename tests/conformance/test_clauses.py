"""Fixtures: independent parsers agree on which pages their robots.txt allows."""

import pytest

from aipolicy.conformance import CLAUSES, Clause
from aipolicy.conformance.fixture import Fixture, FixtureSetup, PageLink
from aipolicy.core.paths import normalise
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.matching import verdict
from aipolicy.robotstxt.parser import RobotsTxt
from tests.conformance.crawler import TOKEN
from tests.conformance.engine import Engine

AT = {name: f"127.0.0.1:{number}" for number, name in enumerate(("first", "second", "refusing"), 9001)}
each_clause = pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: str(clause.id))


def fixture_of(clause: Clause) -> Fixture:
    return clause.build(FixtureSetup(TOKEN, AT))


def answers_of(fixture: Fixture, place: PageLink) -> tuple[bool, bool]:
    """Return the answers of the product's parser and of the tests' own."""
    rules, path = fixture.rules.get(place.authority, b""), normalise(place.path)
    return verdict(RobotsTxt.parse(rules), TOKEN, path).allowed, Engine().allowed(rules, TOKEN, path)


@each_clause
def test_rules_forbid_exactly_the_forbidden_pages(clause: Clause) -> None:
    fixture = fixture_of(clause)
    for place in (*fixture.controls, *fixture.allowed):
        assert answers_of(fixture, place) == (True, True), place
    for place in () if fixture.reason else fixture.forbidden:
        assert answers_of(fixture, place) == (False, False), place


@each_clause
def test_every_judged_page_exists(clause: Clause) -> None:
    fixture = fixture_of(clause)
    for place in (*fixture.controls, *fixture.forbidden, *fixture.allowed):
        assert normalise(place.path) in fixture.authorities[place.authority].pages, place


def test_ids_are_unique_and_requirements_exist() -> None:
    names = [clause.id for clause in CLAUSES]
    assert len(set(names)) == len(names)
    assert {clause.requires for clause in CLAUSES} - {""} <= set(names)


def test_the_last_required_rule_ends_at_500_kib() -> None:
    (size,) = (clause for clause in CLAUSES if clause.id == "size")
    rules = fixture_of(size).rules["first"]
    assert rules[:MAX_ROBOTS_BYTES].endswith(b"\nDisallow: /before.html\n")
    assert rules[MAX_ROBOTS_BYTES:] == b"Disallow: /after.html\n"
    assert MAX_ROBOTS_BYTES == 500 * 1024
