"""Checks of groups: their beginning, their end, and their product tokens."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypedDict

from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import below_agents, own_groups
from aipolicy.robotstxt.matching import Content, GroupIndex
from aipolicy.robotstxt.parsed_file import ParsedFile, SourceGroup
from aipolicy.robotstxt.parser import Group, Line, LineKind

_LINES = 40  # of a fix
_TRIED = 1000  # lines that may come down to so few
_DELAYS = ("crawl-delay", "request-rate")  # with one of these a separate group is meant


def check(file: ParsedFile) -> Iterator[Finding]:
    yield from _preamble(file)
    for place, group in enumerate(file.groups):
        following = file.groups[place + 1] if place + 1 < len(file.groups) else None
        is_malformed = any(line.number in file.malformed for line in (*group.agents, *group.body))
        if not group.rules and not is_malformed:  # its rules may be in the damaged line
            yield from _without_rules(group, following, file)
        yield from _blank_lines(group)
    yield from _repeated(file)


def _preamble(file: ParsedFile) -> Iterator[Finding]:
    everyone = next((g for g in file.groups if "*" in g.tokens), None)
    upside_down = _is_upside_down(file)
    for line in file.preamble:
        if line.number in file.malformed:
            continue
        if line.is_rule and upside_down:
            first, *others = file.groups
            fix = "" if others else _text((*first.agents, line, *first.body))
            yield finding(
                "rule-before-group",
                [line.number],
                f"{shorten(line.text)!r} is before the first User-agent line",
                "it binds no crawler (RFC 9309 §2.2.1); put rules below their User-agent lines",
                fix=fix,
                edits={line.number: None, **below_agents(first, pasted(line.text))} if fix else None,
            )
        elif line.is_rule:
            yield finding(
                "rule-before-group",
                [line.number],
                f"{shorten(line.text)!r} is before the first User-agent line",
                "it binds no crawler (RFC 9309 §2.2.1); move it into a group",
                **_into(everyone, line, pasted(line.text)),
            )
        elif line.named("Content-Signal") or line.named("Content-Usage"):
            yield finding(
                "signal-before-group",
                [line.number],
                f"{shorten(line.text)!r} is before the first User-agent line",
                "it is in no group, so it applies to no crawler; move it into a group",
                **_into(everyone, line, pasted(line.text), "Allow: /"),
            )


def _is_upside_down(file: ParsedFile) -> bool:
    """Return True if there are rules before the first group, and the last group has none."""
    rules = any(line.is_rule for line in file.preamble)
    return rules and bool(file.groups) and not file.groups[-1].rules


class _Fix(TypedDict):
    fix: str
    edits: dict[int, str | None]


def _into(everyone: SourceGroup | None, line: Line, text: str, *rules: str) -> _Fix:
    """Return a fix that moves a line into the group for everyone, or into a new one."""
    if everyone is None:
        fix = "\n".join(["User-agent: *", text, *rules])
        return {"fix": fix, "edits": {line.number: fix}}
    fix = "\n".join([*(pasted(agent.text) for agent in everyone.agents), text])
    return {"fix": fix, "edits": {line.number: None, **below_agents(everyone, text)}}


def _without_rules(group: SourceGroup, following: SourceGroup | None, file: ParsedFile) -> Iterator[Finding]:
    others = [line for line in group.body if line.kind is LineKind.OTHER]
    lines = [line.number for line in (*group.agents, *others)]
    tokens = listed(group.tokens)
    if following is None:
        matters = file.index.bound("*").content.has_rules and "*" not in group.tokens
        yield finding(
            "group-without-rules",
            lines,
            f"the last group, for {tokens}, has neither Allow nor Disallow",
            f"{tokens} may fetch everything"
            + (
                "; older parsers drop the group and apply the one for everyone; add a rule" if matters else ""
            ),
            fix="" if _is_upside_down(file) else _text((*group.agents, *others), "Allow: /"),
            severity=Severity.WARNING if matters else Severity.NOTE,
        )
        return
    if {*map(str.lower, group.tokens)} <= {*map(str.lower, following.tokens)}:
        return  # a repeated token: see _repeated
    fields = listed(dict.fromkeys(shorten(line.name, 40) for line in others))
    next_tokens = listed(following.tokens)
    closes = any(line.kind is LineKind.DISALLOW and line.value for line in following.rules)
    severity = None if closes else Severity.WARNING
    if any(not line.raw for line in group.body) or all(line.name.lower() in _DELAYS for line in others):
        yield finding(
            "group-without-rules",
            lines,
            f"the group for {tokens} has {fields or 'no line'}, but neither Allow nor Disallow",
            f"RFC 9309 joins it to the next group: the rules of {next_tokens} apply to {tokens} too; "
            "add a rule",
            fix=_text((*group.agents, *others), "Allow: /"),
            severity=severity,
        )
    else:
        yield finding(
            "line-between-user-agents",
            lines,
            f"{fields} is between the User-agent lines of {tokens} and {next_tokens}",
            f"RFC 9309 reads one group, but protego reads two, the one of {tokens} without rules; "
            "move the line",
            fix=_text((*group.agents, *following.agents, *others)),
            edits=_in_place(
                [*group.agents, *others, *following.agents],
                _text((*group.agents, *following.agents, *others)),
            ),
            severity=severity,
        )


def _blank_lines(group: SourceGroup) -> Iterator[Finding]:
    """Report empty lines that a line of the group follows."""
    lines = sorted((*group.agents, *group.body), key=lambda line: line.number)
    last = max((line.number for line in lines if line.is_rule or line.kind is LineKind.AGENT), default=0)
    blanks = [line.number for line in lines if not line.raw and line.number < last]
    if blanks:
        lost = [line for line in group.rules if line.number > blanks[0] and line.value]
        closes = any(line.kind is LineKind.DISALLOW for line in lost)
        yield finding(
            "blank-line-in-group",
            blanks,
            f"the group for {listed(group.tokens)} contains an empty line",
            f"older Python parsers end the group there and ignore the rules from line {lost[0].number} "
            "on; remove it"
            if lost
            else "older Python parsers ignore the User-agent lines before it; remove it",
            fix=_text(line for line in lines if line.kind is not LineKind.BLANK),
            edits=_in_place(
                [line for line in lines if line.kind is not LineKind.BLANK or not line.raw],
                _text(line for line in lines if line.kind is not LineKind.BLANK),
            ),
            severity=None if closes else Severity.NOTE,
        )


def _repeated(file: ParsedFile) -> Iterator[Finding]:
    """Report product tokens with several groups."""
    index = GroupIndex(file.robots.groups)
    shared: dict[Content, list[str]] = {}
    for name in index.names:
        content = index.bound(name).content
        if len(content.parts) > 1:
            shared.setdefault(content, []).append(name)
    has_fixes = len(shared) <= _LINES  # each is tried on the whole file
    for tokens in shared.values():
        spellings = [file.index.bound(token).tokens[0] for token in tokens]
        yield finding(
            "duplicate-group",
            [line for token in tokens for line in file.agent_lines(token)],
            f"{listed(spellings)} {'has' if len(spellings) == 1 else 'have'} several groups",
            "RFC 9309 combines them, but older Python parsers use only the first; join them",
            fix=(text := _combined(spellings, file.index.bound(tokens[0]).content) if has_fixes else ""),
            edits=own_groups(file, tokens, text) if text else {},
        )


def _combined(tokens: list[str], content: Content) -> str:
    records = tuple(islice(content.records, _TRIED))
    if len(records) == _TRIED:
        return ""
    return _cut(map(pasted, Group(tuple(tokens), records).lines()))


def _text(lines: Iterable[Line], *more: str) -> str:
    return _cut([*(pasted(line.text) for line in lines), *more])


def _in_place(lines: Iterable[Line], text: str) -> dict[int, str | None]:
    """Return edits that replace the first of ``lines`` by ``text`` and remove the others."""
    numbers = sorted(line.number for line in lines)
    return {number: text if number == numbers[0] else None for number in numbers}


def _cut(lines: Iterable[str]) -> str:
    """Return the lines without repetition, or "" if they are too many to paste by hand."""
    kept = list(dict.fromkeys(lines))
    return "\n".join(kept) if len(kept) <= _LINES else ""
