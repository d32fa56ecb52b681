"""Crawlers that nobody here wrote, as they come: what they obey is a fact about a version of each.

Where another version is installed it may have learned since, and may do wrong in no more than is known.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aipolicy.check.crawler import CLAUSES, Verdict

SCRIPT = Path(__file__).parents[3] / "scripts" / "try_crawlers.py"
UNASKED = dict.fromkeys(("cache", "nofollow"), Verdict.DOES_NOT)
UNMOVED = dict.fromkeys(("five-redirects", "refused"), Verdict.NOT_TESTED)  # it follows no redirect at all


def no(*clauses: str) -> dict[str, Verdict]:
    return dict.fromkeys(clauses, Verdict.DISOBEYS)


def shy(*clauses: str) -> dict[str, Verdict]:
    return dict.fromkeys(clauses, Verdict.OVER_CAUTIOUS)


@dataclass(frozen=True)
class Fact:
    """What a crawler of that version doesn't obey; ``only``: what it is tried in, where it takes its time."""

    version: str
    not_obeyed: dict[str, Verdict]
    only: str = ""


SCRAPY = (
    no("whole-token", "other-records")  # protego's: R10 and R5 of the matrix of readers
    # Of the requests that wait for a robots.txt, all but the first go through: Deferred.asFuture() hands the
    # result to the first that awaits it, and None to the others.
    | no("authority")
    | no("status-500", "dropped", "refused")  # what can't be read allows everything
)
FACTS = {
    "wget": Fact(
        "1.21.3",
        no("robots-first", "redirected-page")  # what it is told to fetch, or led to, it doesn't look up
        | no("longest-match", "wildcard", "anchor", "query", "comments", "cr", "bom")
        | no("status-500", "dropped", "refused")
        | shy("ties")
        | UNASKED,
    ),
    "wget2": Fact(
        "1.99.1",
        no("own-group", "shared-group", "merged-groups", "other-records")
        | no("query", "encoded-octets", "encoded-letters", "wildcard", "anchor")
        | no("field-names", "comments", "cr", "bom", "redirect", "status-500")
        | shy("longest-match", "ties")
        | UNMOVED
        | UNASKED,
    ),
    "htdig": Fact(
        "3.2.0b6",
        no("shared-group", "merged-groups", "whole-token", "other-records")
        | no("encoded-octets", "encoded-letters", "wildcard", "anchor")
        | no("field-names", "bom", "size", "redirect", "status-500")
        | shy("longest-match", "ties")
        | UNMOVED
        | UNASKED,
    ),
    "httrack": Fact(
        "3.49-4",
        no("shared-group", "merged-groups", "whole-token", "wildcard", "anchor", "cr", "bom")
        | no("redirect", "status-500")
        | shy("own-group", "path-case")
        | {"authority": Verdict.NOT_TESTED},  # it stays on one port
        "own-name own-group shared-group merged-groups whole-token path-case wildcard anchor crlf cr bom "
        "size authority redirect status-404 status-500",
    ),
    "linkchecker": Fact(
        "10.6.0",
        no("merged-groups", "whole-token", "longest-match", "redirected-page", "status-500")
        | shy("status-403"),
        "own-group merged-groups whole-token longest-match redirected-page crlf redirect status-403 "
        "status-500",
    ),
    "scrapy": Fact("2.19.0", SCRAPY | UNASKED),
}


def tried(name: str, only: str = "") -> dict[str, Any]:
    """The verdicts on a crawler, and its version."""
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
def test_a_real_crawler_obeys_all_but_what_it_is_known_not_to(name: str) -> None:
    fact = FACTS[name]
    document = tried(name, fact.only)
    verdicts = {clause["id"]: clause["verdict"] for clause in document["clauses"]}
    assert set(verdicts) == set(fact.only.split() or (clause.id for clause in CLAUSES))
    not_obeyed = {clause: verdict for clause, verdict in verdicts.items() if verdict != Verdict.OBEYS}
    if document["version"] == fact.version:
        assert not_obeyed == fact.not_obeyed
    else:
        assert not_obeyed.items() <= fact.not_obeyed.items()
    for clause in document["clauses"]:
        if clause["verdict"] == Verdict.DISOBEYS:
            assert clause["request"]["user_agent"] in document["user_agents"]


@pytest.mark.slow
def test_a_real_crawler_that_ignores_robots_txt_fails_clearly() -> None:
    only = "robots-first own-name star-group wildcard status-500"
    document = tried("scrapy-ignoring", only)
    assert {clause["id"]: clause["verdict"] for clause in document["clauses"]} == no(*only.split())


def test_a_crawler_that_is_not_known_is_told() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "curl"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "wget, wget2, httrack" in done.stderr
