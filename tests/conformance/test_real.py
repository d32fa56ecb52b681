"""Real crawlers: the clauses that a version of each is known to break.

Another installed version may break fewer clauses, but no others.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aipolicy.conformance import CLAUSES, ClauseVerdict

SCRIPT = Path(__file__).parents[2] / "scripts" / "try_crawlers.py"
UNASKED = dict.fromkeys(("bom", "cache", "nofollow"), ClauseVerdict.NOT_SUPPORTED)
UNSHARED = dict.fromkeys(("record-between-names",), ClauseVerdict.NOT_TESTED)  # shared-group comes first


def no(*clauses: str) -> dict[str, ClauseVerdict]:
    return dict.fromkeys(clauses, ClauseVerdict.DISOBEYS)


def apart(*clauses: str) -> dict[str, ClauseVerdict]:
    return dict.fromkeys(clauses, ClauseVerdict.DEPARTS)


def shy(*clauses: str) -> dict[str, ClauseVerdict]:
    return dict.fromkeys(clauses, ClauseVerdict.OVER_CAUTIOUS)


@dataclass(frozen=True)
class Fact:
    """The clauses that a version of a crawler breaks; ``only``: the clauses to test if it is slow."""

    version: str
    not_obeyed: dict[str, ClauseVerdict]
    only: str = ""


FACTS = {
    "wget": Fact(
        "1.21.3",
        apart("robots-first", "redirected-page")  # what it is told to fetch, or led to, it doesn't look up
        | no("longest-match", "wildcard", "anchor", "query", "comment-without-space", "cr")
        | no("status-500", "dropped", "refused")
        | shy("ties")
        | UNASKED,
    ),
    "wget2": Fact(
        "1.99.1",
        no("own-group", "shared-group", "merged-groups")
        | no("query", "unicode-link", "unicode-encoded", "encoded-slash", "wildcard", "anchor")
        | no("field-space", "indented-line", "comment-without-space", "cr")
        | no("redirect-rules", "five-redirects-rules", "status-500", "refused")
        | apart("whole-token-longer", "hex-case", "encoded-letter-rule")
        | shy("empty-group", "longest-match", "ties")
        | UNSHARED
        | UNASKED,
    ),
    "htdig": Fact(
        "3.2.0b6",
        no("shared-group", "merged-groups", "unicode-rule", "unicode-link", "encoded-letter-link")
        | no("wildcard", "anchor", "field-space", "size", "size-of-rules", "status-500")
        | apart("whole-token-longer", "hex-case", "encoded-letter-rule", "redirect")
        | shy("longest-match", "ties")
        | UNSHARED
        # It follows no redirect at all.
        | dict.fromkeys(
            ("redirect-rules", "five-redirects", "five-redirects-rules", "refused"), ClauseVerdict.NOT_TESTED
        )
        | UNASKED,
    ),
    "httrack": Fact(
        "3.49-4",
        no("shared-group", "merged-groups", "wildcard", "anchor", "cr", "size-of-rules", "status-500")
        | shy("path-case"),
        "own-name own-group shared-group merged-groups path-case wildcard anchor crlf cr size-of-rules "
        "status-404 status-500",
    ),
    "linkchecker": Fact(
        "10.6.0",
        no("merged-groups", "longest-match", "status-500")
        | apart("whole-token-shorter", "redirected-page")
        | shy("status-403"),
        "own-group merged-groups whole-token-shorter longest-match redirected-page crlf redirect status-403 "
        "status-500",
    ),
    "scrapy": Fact(
        "2.19.0",
        apart("whole-token-shorter")  # protego's: R10 of the matrix of readers
        | no("record-between-names")  # protego's: R5
        # Of the requests that wait for a robots.txt, all but the first go through: Deferred.asFuture() hands
        # the result to the first that awaits it, and None to the others.
        | no("waiting-requests")
        | no("status-500", "dropped", "refused")  # what can't be read allows everything
        | dict.fromkeys(("cache", "nofollow"), ClauseVerdict.NOT_SUPPORTED),
    ),
}


def tried(name: str, only: str = "") -> dict[str, Any]:
    """Return the verdicts on a crawler, and its version."""
    arguments = [
        sys.executable,
        str(SCRIPT),
        name,
        "--json",
        *(f"--only={clause}" for clause in only.split()),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 2 and "is not installed" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)[name]
    return document


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_a_real_crawler_breaks_only_its_known_clauses(name: str) -> None:
    fact = FACTS[name]
    document = tried(name, fact.only)
    verdicts = {clause["id"]: clause["verdict"] for clause in document["clauses"]}
    assert set(verdicts) == set(fact.only.split() or (clause.id for clause in CLAUSES))
    not_obeyed = {clause: verdict for clause, verdict in verdicts.items() if verdict != ClauseVerdict.OBEYS}
    if document["crawler_version"] == fact.version:
        assert not_obeyed == fact.not_obeyed
    else:
        assert not_obeyed.items() <= fact.not_obeyed.items()
    for clause in document["clauses"]:
        if clause["verdict"] == ClauseVerdict.DISOBEYS:
            assert clause["request"]["user_agent"] in document["user_agents"]


@pytest.mark.slow
def test_a_real_crawler_that_ignores_robots_txt_fails_clearly() -> None:
    broken, departed, untold = "star-group wildcard status-500", "robots-first", "own-name"
    document = tried("scrapy-ignoring", f"{broken} {departed} {untold}")
    expected = no(*broken.split()) | apart(departed) | {untold: ClauseVerdict.NOT_TESTED}
    assert {clause["id"]: clause["verdict"] for clause in document["clauses"]} == expected


def test_an_unknown_crawler_is_reported() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "curl"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "wget, wget2, httrack" in done.stderr
