"""Checks that product tokens are the names of crawlers."""

import re
from collections.abc import Iterator

from aipolicy.core.crawlers import crawler_named
from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import Line, product_token
from aipolicy.robotstxt.product_tokens import ALIASES, guess_crawler, is_header, left_out, mentioned

_COMPARED = 1000  # unknown names that are compared with known ones
_CUT = re.compile(r"[A-Za-z_-]*")


def check(file: ParsedFile) -> Iterator[Finding]:
    written = (line for group in file.groups for line in group.agents)
    agents = [line for line in written if line.number not in file.malformed]
    unknown: set[str] = set()
    for line in agents:
        if not line.value:
            yield _empty(line)
        elif is_header(line.value):
            yield _header(line)
        elif not crawler_named(line.value) and len(unknown) < _COMPARED:
            unknown.add(line.value)
            yield from _unknown(line, product_token(line.value))
    yield from _versions(agents)
    yield from _outside(agents)


def _empty(line: Line) -> Finding:
    return finding(
        "empty-token",
        [line.number],
        "the User-agent line is empty",
        "it binds no crawler, but Python's parsers apply it to every crawler; write a product token or *",
        fix="User-agent: *",
    )


def _header(line: Line) -> Finding:
    named = [crawler.product_token for crawler in mentioned(line.value)]
    cut = _cut(line.value)
    return finding(
        "user-agent-header",
        [line.number],
        f"{shorten(line.value, 60)!r} is a User-Agent header or part of one, not a product token",
        f"crawlers look only for their product token; Google's parser reads {cut!r} here"
        if cut
        else "crawlers look only for their product token",
        fix="\n".join(f"User-agent: {token}" for token in named),
    )


def _unknown(line: Line, token: str) -> Iterator[Finding]:
    name = shorten(token, 60)
    if token.lower() in ALIASES:
        meant = ALIASES[token.lower()]
        yield finding(
            "token-nobody-answers",
            [line.number],
            f"no crawler uses {name!r} as its product token",
            "the line binds no crawler, except in parsers that look for a name inside others; "
            "write the real tokens",
            fix="\n".join(f"User-agent: {other}" for other in meant),
        )
    elif left_out(token):
        reason = left_out(token)
        yield finding(
            "token-left-out", [line.number], f"{name!r} is not a known product token", _lower(reason)
        )
    else:
        crawler = guess_crawler(token)
        if crawler:
            yield finding(
                "token-typo",
                [line.number],
                f"no crawler uses {name!r}; {crawler.product_token!r} is probably meant",
                f"the line doesn't bind {crawler.product_token}; correct the name",
                fix=f"User-agent: {crawler.product_token}",
            )


def _versions(agents: list[Line]) -> Iterator[Finding]:
    extended = [
        line for line in agents if product_token(line.value) != line.value and not is_header(line.value)
    ]
    if extended:
        tokens = dict.fromkeys(product_token(line.value) for line in extended)
        yield finding(
            "token-with-version",
            [line.number for line in extended],
            f"a version or a star follows the product token: {listed(line.value for line in extended)}",
            "Google's parser ignores the addition, others find no crawler with that name; remove it",
            fix="\n".join(f"User-agent: {pasted(token)}" for token in tokens) if len(tokens) <= 40 else "",
            edits={line.number: f"User-agent: {pasted(product_token(line.value))}" for line in extended},
        )


def _outside(agents: list[Line]) -> Iterator[Finding]:
    """Report names that Google's parser cuts off, except at a version."""
    cut = [line for line in agents if line.value and not is_header(line.value) and _is_cut(line)]
    for line in cut:
        other = crawler_named(_cut(line.value))
        if other and other is not crawler_named(line.value):
            yield finding(
                "token-outside-grammar",
                [line.number],
                f"{shorten(line.value, 60)!r} is not a valid product token (RFC 9309 §2.2.1)",
                f"Google's parser reads {other.product_token!r}, so the line binds that crawler instead",
            )
    if cut:
        names = dict.fromkeys(f"{line.value} (cut to {_cut(line.value)!r})" for line in cut)
        yield finding(
            "token-outside-grammar",
            [line.number for line in cut],
            f"product tokens may only have letters, - and _ (RFC 9309 §2.2.1): {listed(names)}",
            "Google's parser and its ports read the shorter name; "
            "leave it if it is the operator's own spelling",
            severity=Severity.NOTE,
        )


def _is_cut(line: Line) -> bool:
    token = product_token(line.value)
    return token != "*" and _cut(token) != token  # noqa: S105 (no password)


def _cut(token: str) -> str:
    match = _CUT.match(token)
    return match[0] if match else ""


def _lower(sentence: str) -> str:
    return shorten(sentence[:1].lower() + sentence[1:].rstrip("."))
