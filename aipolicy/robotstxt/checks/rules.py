"""Checks of rules without effect, or with an unexpected effect."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from aipolicy.core.crawlers import crawler_named
from aipolicy.core.paths import normalise
from aipolicy.core.patterns import Pattern
from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import own_groups
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import ParsedFile, SourceGroup
from aipolicy.robotstxt.parser import Line, LineKind, Rule
from aipolicy.robotstxt.reach import Opponents, matches_everything

_COMPARED = 500_000  # rules, in all combinations of groups that bind some crawler
_CLOSED = 200  # Disallow rules of a group that each is compared with


_Tokens = dict[Content, list[str]]  # of crawlers for AI


def check(file: ParsedFile) -> Iterator[Finding]:
    for group in file.groups:
        for line in group.rules:
            if line.value and not line.value.startswith(("/", "*")) and line.number not in file.malformed:
                yield _matches_nothing(line)
        yield from _misses_queries(group)
        yield from _empty(group)
        yield from _twice(group)
    reported: set[int] = set()
    # Lines that bind several crawlers are reported once: for an AI crawler, if there is one.
    bounds: dict[Content, Binding] = {}
    for bound in sorted(file.bindings, key=lambda bound: not _is_for_ai(bound)):
        bounds.setdefault(bound.content, bound)
    for_ai: _Tokens = {}
    for token in file.index.tokens:
        bound = file.index.bound(token)
        if _is_for_ai(bound):
            for_ai.setdefault(bound.content, []).append(bound.tokens[0])
    left = _COMPARED
    for bound in bounds.values():
        left -= bound.content.size if len(bound.content.parts) > 1 else 0
        if left < 0:
            yield too_many(bounds.values(), "rules")
            break
        for found in _overruled(file, for_ai, bound):
            if not reported.issuperset(found.lines):
                reported.update(found.lines)
                yield found


def too_many(bounds: Iterable[Binding], what: str) -> Finding:
    """Return the finding that only some of ``what`` were compared."""
    tokens = [token for bound in bounds if len(bound.content.parts) > 1 for token in bound.tokens]
    return finding(
        "too-many-combinations",
        [],
        f"{len(tokens)} product tokens have several groups, each in another combination: {listed(tokens)}",
        f"all combinations have too many {what}, so only some were compared; give each token one group",
    )


def _matches_nothing(line: Line) -> Finding:
    name = "Allow" if line.name.lower() == "allow" else "Disallow"
    return finding(
        "path-without-slash",
        [line.number],
        f"{shorten(line.text)!r} has a path that doesn't start with '/' or '*'",
        "it matches nothing, so the rule has no effect; add the slash",
        fix=f"{name}: {pasted(_as_path(line.value))}",
    )


def _as_path(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        return normalise("/" + value)
    if parts.scheme in ("http", "https") and parts.netloc:
        return normalise((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return normalise("/" + value)


def _empty(group: SourceGroup) -> Iterator[Finding]:
    empty = [line for line in group.rules if not line.value]
    if empty and len(empty) < len(group.rules):
        after = any(line.value for line in group.rules if line.number > empty[0].number)
        yield finding(
            "empty-rule-beside-others",
            [line.number for line in empty],
            f"{shorten(empty[0].text)!r} is among rules with a path",
            "it has no effect (RFC 9309 §2.2.2)"
            + (", but older Python parsers allow everything from there on; remove it" if after else ""),
            fix="\n".join(pasted(line.text) for line in group.rules if line.value)
            if len(group.rules) <= 40
            else "",
            edits={line.number: None for line in empty},
            severity=None if after else Severity.NOTE,
        )


def _misses_queries(group: SourceGroup) -> Iterator[Finding]:
    closed = [Pattern(line.value, literally=True) for line in group.rules if line.kind is LineKind.DISALLOW]
    if len(closed) > _CLOSED:
        return
    for line in group.rules:
        path = line.value.removesuffix("$")
        ends = line.kind is LineKind.DISALLOW and path != line.value and path not in ("", "/")
        if not ends or path.endswith("*") or "?" in path or not path.startswith(("/", "*")):
            continue
        if any(pattern.covers(f"{path}?x") for pattern in closed):
            continue
        yield finding(
            "end-sign-misses-queries",
            [line.number],
            f"{shorten(line.text)!r} ends in '$'",
            f"it matches only the end of a URL, so {shorten(path.replace('*', 'x'), 60)}?a=b may be "
            "fetched; add a rule",
            fix=f"Disallow: {pasted(line.value)}\nDisallow: {pasted(path)}?",
        )


def _twice(group: SourceGroup) -> Iterator[Finding]:
    places: dict[tuple[object, str], list[int]] = {}
    for line in group.rules:
        if line.value:
            places.setdefault((line.kind, normalise(line.value)), []).append(line.number)
    again = [numbers for numbers in places.values() if len(numbers) > 1]
    if again:
        yield finding(
            "duplicate-rule",
            [number for numbers in again for number in numbers[1:]],
            f"{len(again)} {'rule appears' if len(again) == 1 else 'rules appear'} twice in one group",
            "the repetition has no effect; remove it",
        )


def _overruled(file: ParsedFile, for_ai: _Tokens, bound: Binding) -> Iterator[Finding]:
    rules = list(bound.content.rules)
    allows, disallows = [r for r in rules if r.allow], [r for r in rules if not r.allow]
    if not (allows and disallows):
        return
    of_allows, of_disallows = Opponents(allows), Opponents(disallows)
    for rule in disallows:
        winner = of_allows.overruling(rule)
        if winner:
            yield _never_decides(file, for_ai, bound, rule, winner)
    for rule in allows:
        winner = of_disallows.overruling(rule)
        if winner:
            yield _never_decides(file, for_ai, bound, rule, winner)


def _never_decides(file: ParsedFile, for_ai: _Tokens, bound: Binding, rule: Rule, winner: Rule) -> Finding:
    lines = [rule.line, winner.line]
    found = f"'{_text(rule)}' has no effect: '{_text(winner)}' always wins over it"
    tie = len(rule.pattern) == len(winner.pattern)
    why = "an Allow of equal length wins" if tie else "the longer rule wins"
    if not rule.allow and _is_for_ai(bound) and matches_everything(rule.pattern):
        tokens = for_ai[bound.content]
        fix = "\n".join([*(f"User-agent: {pasted(token)}" for token in tokens), "Disallow: /"])
        return finding(
            "reopened-by-allow",
            lines,
            found,
            f"{listed(tokens)} may fetch everything, because {why} (RFC 9309 §2.2.2); remove the Allow",
            fix=fix if len(tokens) <= 40 else "",
            edits=own_groups(file, tokens, fix),
        )
    return finding(
        "rule-never-decides",
        lines,
        found,
        f"its paths stay {'disallowed' if rule.allow else 'allowed'}, because {why}",
    )


def _is_for_ai(bound: Binding) -> bool:
    crawler = crawler_named(bound.name)
    return crawler is not None and bool(crawler.purpose.categories)


def _text(rule: Rule) -> str:
    return shorten(f"{'Allow' if rule.allow else 'Disallow'}: {rule.pattern}", 80)
