"""Groups: where they begin and end, and whose they are."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypedDict

from aipolicy.report.text import listed, pasted, shown
from aipolicy.robotstxt.edits import below_agents, own_groups
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.group_index import Content
from aipolicy.robotstxt.grouping import one_group_a_token
from aipolicy.robotstxt.lines import Kind, Line, WrittenGroup
from aipolicy.robotstxt.parsed_file import File
from aipolicy.robotstxt.parser import Group, RobotsTxt, product_token

_LINES = 40  # of a fix
_TRIED = 1000  # lines that may come down to so few
_DELAYS = ("crawl-delay", "request-rate")  # whoever gives one means a group of its own


def check(file: File) -> Iterator[Finding]:
    yield from _preamble(file)
    for place, group in enumerate(file.written.groups):
        following = file.written.groups[place + 1] if place + 1 < len(file.written.groups) else None
        spoilt = any(line.number in file.mangled for line in (*group.agents, *group.body))
        if not group.rules and not spoilt:  # its rules may be in the line that is spoilt
            yield from _without_rules(group, following, file)
        yield from _blank_lines(group)
    yield from _repeated(file)


def _preamble(file: File) -> Iterator[Finding]:
    everyone = next((g for g in file.written.groups if "*" in _tokens(g)), None)
    upside_down = _is_upside_down(file)
    for line in file.written.preamble:
        if line.number in file.mangled:
            continue
        if line.is_rule and upside_down:
            first, *others = file.written.groups
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


def _is_upside_down(file: File) -> bool:
    """Return True if rules stand before the first group, and the last group has none."""
    rules = any(line.is_rule for line in file.written.preamble)
    return rules and bool(file.written.groups) and not file.written.groups[-1].rules


class _Fix(TypedDict):
    fix: str
    edits: dict[int, str | None]


def _into(everyone: WrittenGroup | None, line: Line, text: str, *rules: str) -> _Fix:
    """A fix that moves a line into the group for everyone; where there is none, into a new one."""
    if everyone is None:
        fix = "\n".join(["User-agent: *", text, *rules])
        return {"fix": fix, "edits": {line.number: fix}}
    fix = "\n".join([*(pasted(agent.text) for agent in everyone.agents), text])
    return {"fix": fix, "edits": {line.number: None, **below_agents(everyone, text)}}


def _without_rules(group: WrittenGroup, following: WrittenGroup | None, file: File) -> Iterator[Finding]:
    others = [line for line in group.body if line.kind is Kind.OTHER]
    lines = [line.number for line in (*group.agents, *others)]
    whose = listed(_tokens(group))
    if following is None:
        matters = file.index.bound("*").content.has_rules and "*" not in _tokens(group)
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
    if {*map(str.lower, _tokens(group))} <= {*map(str.lower, _tokens(following))}:
        return  # a repeated token: told of below
    said = listed(dict.fromkeys(shown(line.name, 40) for line in others))
    theirs = listed(_tokens(following))
    closes = any(line.kind is Kind.DISALLOW and line.value for line in following.rules)
    severity = None if closes else Severity.WARNING
    if any(line.empty for line in group.body) or all(line.name.lower() in _DELAYS for line in others):
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


def _blank_lines(group: WrittenGroup) -> Iterator[Finding]:
    """Only those that something of the group follows."""
    lines = sorted((*group.agents, *group.body), key=lambda line: line.number)
    last = max((line.number for line in lines if line.is_rule or line.kind is Kind.AGENT), default=0)
    blanks = [line.number for line in lines if line.empty and line.number < last]
    if blanks:
        lost = [line for line in group.rules if line.number > blanks[0] and line.value]
        closes = any(line.kind is Kind.DISALLOW for line in lost)
        whose = listed(_tokens(group))
        yield finding(
            "blank-line-in-group",
            blanks,
            f"an empty line inside the group for {whose}",
            f"older Python parsers end the group there, and lose the rules from line {lost[0].number} on"
            if lost
            else "older Python parsers forget the User-agent lines before it",
            fix=_text(line for line in lines if line.kind is not Kind.NOTHING),
            edits=_in_place(
                [line for line in lines if line.kind is not Kind.NOTHING or line.empty],
                _text(line for line in lines if line.kind is not Kind.NOTHING),
            ),
            severity=None if closes else Severity.NOTE,
        )


def _repeated(file: File) -> Iterator[Finding]:
    """Product tokens that stand in several groups."""
    places: dict[str, list[int]] = {}
    for number, group in enumerate(file.written.groups):
        for token in dict.fromkeys(token.lower() for token in _tokens(group)):
            places.setdefault(token, []).append(number)
    shared: dict[tuple[int, ...], list[str]] = {}
    for token, numbers in places.items():
        if len(numbers) > 1 and token:
            shared.setdefault(tuple(numbers), []).append(token)
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
    merged = one_group_a_token(RobotsTxt((Group(tuple(tokens), records),)))
    return _cut(pasted(line) for line in str(merged).rstrip("\n").split("\n"))


def _tokens(group: WrittenGroup) -> list[str]:
    return [product_token(line.value) for line in group.agents]


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
