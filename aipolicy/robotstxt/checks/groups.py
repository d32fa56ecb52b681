"""Groups: where they begin and end, and whose they are."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypedDict

from aipolicy.report.text import listed, pasted, shown
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import below_agents, own_groups
from aipolicy.robotstxt.matching import Content, GroupIndex
from aipolicy.robotstxt.parsed_file import ParsedFile, SourceGroup
from aipolicy.robotstxt.parser import Group, Line, LineKind

_LINES = 40  # of a fix
_TRIED = 1000  # lines that may come down to so few
_DELAYS = ("crawl-delay", "request-rate")  # whoever gives one means a group of its own


def check(file: ParsedFile) -> Iterator[Finding]:
    yield from _preamble(file)
    for place, group in enumerate(file.groups):
        following = file.groups[place + 1] if place + 1 < len(file.groups) else None
        spoilt = any(line.number in file.malformed for line in (*group.agents, *group.body))
        if not group.rules and not spoilt:  # its rules may be in the line that is spoilt
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
                f"{shown(line.text)!r} stands before any User-agent line",
                "nobody is bound by it (RFC 9309 §2.2.1): rules stand below their User-agent lines",
                fix=fix,
                edits={line.number: None, **below_agents(first, pasted(line.text))} if fix else None,
            )
        elif line.is_rule:
            yield finding(
                "rule-before-group",
                [line.number],
                f"{shown(line.text)!r} stands before any User-agent line",
                "nobody is bound by it (RFC 9309 §2.2.1)",
                **_into(everyone, line, pasted(line.text)),
            )
        elif line.named("Content-Signal") or line.named("Content-Usage"):
            yield finding(
                "signal-before-group",
                [line.number],
                f"{shown(line.text)!r} stands before any User-agent line",
                "it belongs to no group, so it holds for no crawler",
                **_into(everyone, line, pasted(line.text), "Allow: /"),
            )


def _is_upside_down(file: ParsedFile) -> bool:
    """Return True if rules stand before the first group, and the last group has none."""
    rules = any(line.is_rule for line in file.preamble)
    return rules and bool(file.groups) and not file.groups[-1].rules


class _Fix(TypedDict):
    fix: str
    edits: dict[int, str | None]


def _into(everyone: SourceGroup | None, line: Line, text: str, *rules: str) -> _Fix:
    """A fix that moves a line into the group for everyone; where there is none, into a new one."""
    if everyone is None:
        fix = "\n".join(["User-agent: *", text, *rules])
        return {"fix": fix, "edits": {line.number: fix}}
    fix = "\n".join([*(pasted(agent.text) for agent in everyone.agents), text])
    return {"fix": fix, "edits": {line.number: None, **below_agents(everyone, text)}}


def _without_rules(group: SourceGroup, following: SourceGroup | None, file: ParsedFile) -> Iterator[Finding]:
    others = [line for line in group.body if line.kind is LineKind.OTHER]
    lines = [line.number for line in (*group.agents, *others)]
    whose = listed(group.tokens)
    if following is None:
        matters = file.index.bound("*").content.has_rules and "*" not in group.tokens
        yield finding(
            "group-without-rules",
            lines,
            f"the last group, for {whose}, has neither Allow nor Disallow",
            f"{whose} may fetch everything"
            + ("; older parsers drop the group and apply the one for everyone" if matters else ""),
            fix="" if _is_upside_down(file) else _text((*group.agents, *others), "Allow: /"),
            severity=Severity.WARNING if matters else Severity.NOTE,
        )
        return
    if {*map(str.lower, group.tokens)} <= {*map(str.lower, following.tokens)}:
        return  # a repeated token: told of below
    said = listed(dict.fromkeys(shown(line.name, 40) for line in others))
    theirs = listed(following.tokens)
    closes = any(line.kind is LineKind.DISALLOW and line.value for line in following.rules)
    severity = None if closes else Severity.WARNING
    if any(not line.raw for line in group.body) or all(line.name.lower() in _DELAYS for line in others):
        yield finding(
            "group-without-rules",
            lines,
            f"the group for {whose} has {said}, but neither Allow nor Disallow",
            f"by RFC 9309 (and Google's parser) the next group is one with it: {whose} gets {theirs}'s rules",
            fix=_text((*group.agents, *others), "Allow: /"),
            severity=severity,
        )
    else:
        yield finding(
            "line-between-user-agents",
            lines,
            f"{said} stands between the User-agent lines of {whose} and {theirs}",
            f"one group to RFC 9309 and Google's parser; protego starts a new one, and {whose} has no rules",
            fix=_text((*group.agents, *following.agents, *others)),
            edits=_in_place(
                [*group.agents, *others, *following.agents],
                _text((*group.agents, *following.agents, *others)),
            ),
            severity=severity,
        )


def _blank_lines(group: SourceGroup) -> Iterator[Finding]:
    """Only those that something of the group follows."""
    lines = sorted((*group.agents, *group.body), key=lambda line: line.number)
    last = max((line.number for line in lines if line.is_rule or line.kind is LineKind.AGENT), default=0)
    blanks = [line.number for line in lines if not line.raw and line.number < last]
    if blanks:
        lost = [line for line in group.rules if line.number > blanks[0] and line.value]
        closes = any(line.kind is LineKind.DISALLOW for line in lost)
        whose = listed(group.tokens)
        yield finding(
            "blank-line-in-group",
            blanks,
            f"an empty line inside the group for {whose}",
            f"older Python parsers end the group there, and lose the rules from line {lost[0].number} on"
            if lost
            else "older Python parsers forget the User-agent lines before it",
            fix=_text(line for line in lines if line.kind is not LineKind.BLANK),
            edits=_in_place(
                [line for line in lines if line.kind is not LineKind.BLANK or not line.raw],
                _text(line for line in lines if line.kind is not LineKind.BLANK),
            ),
            severity=None if closes else Severity.NOTE,
        )


def _repeated(file: ParsedFile) -> Iterator[Finding]:
    """Product tokens that stand in several groups."""
    index = GroupIndex(file.robots.groups)
    shared: dict[Content, list[str]] = {}
    for name in index.names:
        content = index.bound(name).content
        if len(content.parts) > 1:
            shared.setdefault(content, []).append(name)
    has_fixes = len(shared) <= _LINES  # each is made in the whole file
    for tokens in shared.values():
        spelt = [file.index.bound(token).tokens[0] for token in tokens]
        yield finding(
            "duplicate-group",
            [line for token in tokens for line in file.agent_lines(token)],
            f"{listed(spelt)} {'has' if len(spelt) == 1 else 'have'} several groups",
            "RFC 9309 combines them; older Python parsers use the first alone",
            fix=(text := _combined(spelt, file.index.bound(tokens[0]).content) if has_fixes else ""),
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
    """Edits that put ``text`` where the first of ``lines`` stands, and take the others out."""
    numbers = sorted(line.number for line in lines)
    return {number: text if number == numbers[0] else None for number in numbers}


def _cut(lines: Iterable[str]) -> str:
    """A fix that is too long to paste by hand is none."""
    kept = list(dict.fromkeys(lines))
    return "\n".join(kept) if len(kept) <= _LINES else ""
