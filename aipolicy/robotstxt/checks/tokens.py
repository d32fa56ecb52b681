"""Product tokens: whether anybody answers to them."""

import re
from collections.abc import Iterator

from aipolicy.core.crawlers import crawler_named
from aipolicy.report.text import listed, pasted, shown
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import Line, product_token
from aipolicy.robotstxt.product_tokens import ANSWERED_BY, is_header, left_out, meant_by, mentioned

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
        "nobody is bound by it, but Python's parsers take it for everyone",
        fix="User-agent: *",
    )


def _header(line: Line) -> Finding:
    named = [crawler.product_token for crawler in mentioned(line.value)]
    cut = _cut(line.value)
    return finding(
        "user-agent-header",
        [line.number],
        f"{shown(line.value, 60)!r} is a User-Agent header, or part of one",
        f"crawlers look for their product token alone; Google's parser reads {cut!r} here"
        if cut
        else "crawlers look for their product token alone",
        fix="\n".join(f"User-agent: {token}" for token in named),
    )


def _unknown(line: Line, token: str) -> Iterator[Finding]:
    name = shown(token, 60)
    if token.lower() in ANSWERED_BY:
        meant = ANSWERED_BY[token.lower()]
        yield finding(
            "token-nobody-answers",
            [line.number],
            f"no crawler answers to {name!r}",
            "nobody is bound by it, but parsers that look for a name inside others bind what they find",
            fix="\n".join(f"User-agent: {other}" for other in meant),
        )
    elif left_out(token):
        reason = left_out(token)
        yield finding("token-left-out", [line.number], f"{name!r} is no known product token", _lower(reason))
    else:
        crawler = meant_by(token)
        if crawler:
            yield finding(
                "token-typo",
                [line.number],
                f"no crawler answers to {name!r}; {crawler.product_token!r} is one",
                f"{crawler.product_token} is not bound by this line",
                fix=f"User-agent: {crawler.product_token}",
            )


def _versions(agents: list[Line]) -> Iterator[Finding]:
    worn = [line for line in agents if product_token(line.value) != line.value and not is_header(line.value)]
    if worn:
        tokens = dict.fromkeys(product_token(line.value) for line in worn)
        yield finding(
            "token-with-version",
            [line.number for line in worn],
            f"more than a product token: {listed(line.value for line in worn)}",
            "Google's parser leaves the rest out; others look for a crawler of the whole name: there is none",
            fix="\n".join(f"User-agent: {pasted(token)}" for token in tokens) if len(tokens) <= 40 else "",
            edits={line.number: f"User-agent: {pasted(product_token(line.value))}" for line in worn},
        )


def _outside(agents: list[Line]) -> Iterator[Finding]:
    """Names that Google's parser cuts, but for those it cuts as they are meant: at a version."""
    cut = [line for line in agents if line.value and not is_header(line.value) and _is_cut(line)]
    for line in cut:
        other = crawler_named(_cut(line.value))
        if other and other is not crawler_named(line.value):
            yield finding(
                "token-outside-grammar",
                [line.number],
                f"{shown(line.value, 60)!r} can't be a product token (RFC 9309 §2.2.1)",
                f"Google's parser reads {other.product_token!r} there: that crawler is bound instead",
            )
    if cut:
        names = dict.fromkeys(f"{line.value} (cut to {_cut(line.value)!r})" for line in cut)
        yield finding(
            "token-outside-grammar",
            [line.number for line in cut],
            f"product tokens have letters, - and _ only (RFC 9309 §2.2.1): {listed(names)}",
            "parsers in Google's style read the shorter name; where it is the operator's own spelling, leave"
            " it for the others",
            severity=Severity.NOTE,
        )


def _is_cut(line: Line) -> bool:
    token = product_token(line.value)
    return token != "*" and _cut(token) != token  # noqa: S105 (no password)


def _cut(token: str) -> str:
    match = _CUT.match(token)
    return match[0] if match else ""


def _lower(sentence: str) -> str:
    return shown(sentence[:1].lower() + sentence[1:].rstrip("."))
