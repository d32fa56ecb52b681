"""A notation for robots.txt files in tests."""

import re

from aipolicy.robotstxt import Finding, lint


def lines(text: str) -> bytes:
    """Lines separated by ``|``; nothing between two is an empty line. ``UA`` is short for User-agent."""
    return "".join(
        f"{re.sub('^UA ', 'User-agent: ', line.strip(' '))}\n" for line in text.split("|")
    ).encode()


def found(body: bytes, kind: str) -> list[Finding]:
    """The findings of one kind."""
    return [finding for finding in lint(body).findings if finding.id == kind]


def kinds(body: bytes) -> set[str]:
    return {finding.id for finding in lint(body).findings}
