"""Checks of Content-Signal and Content-Usage lines: their syntax, and contradictions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from aipolicy.core.crawlers import Crawler, crawler_named
from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Category, Preference, Preferences, members_of
from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.checks.rules import too_many
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.parser import Line, Record
from aipolicy.robotstxt.reach import Reach
from aipolicy.signals.content_signal import CATEGORIES, KEYS, parse_content_signal, signal_text
from aipolicy.signals.content_usage import guess_member, guess_usage, split_usage

_COMPARED = 200_000  # signals, in all combinations of groups that bind some crawler


def check(file: ParsedFile) -> Iterator[Finding]:
    for line in file.lines:
        if line.named("Content-Signal"):
            yield from _signal(line)
        elif line.named("Content-Usage"):
            yield from _usage(line)
    reported: set[tuple[str, tuple[int, ...]]] = set()
    alike: dict[tuple[Content, Crawler | None], Binding] = {}
    for bound in file.bindings:
        alike.setdefault((bound.content, crawler_named(bound.name)), bound)
    members: dict[Content, list[_Member]] = {}
    left = _COMPARED
    for (content, crawler), bound in alike.items():
        if content not in members:
            left -= sum(len(part.signals) for part in content.parts) if len(content.parts) > 1 else 0
            if left < 0:
                yield too_many(alike.values(), "signals")
                break
            members[content] = _members(content)
        for found in (
            *_disagreeing(members[content]),
            *_granting(members[content], bound, crawler),
        ):
            if (found.id, found.lines) not in reported:
                reported.add((found.id, found.lines))
                yield found


def _signal(line: Line) -> Iterator[Finding]:
    members = [member.strip(" \t") for member in line.value.split(",")]
    valid = parse_content_signal(line.value)
    invalid = [member for member in members if not parse_content_signal(member)]
    if invalid or not valid:
        fixed = valid | dict(filter(None, map(_guess_signal, invalid)))
        yield finding(
            "unreadable-signal",
            [line.number],
            f"{listed(map(repr, map(shorten, invalid)), 4)} is invalid"
            if any(invalid)
            else "the line is empty",
            "it has no effect; write search, ai-input or ai-train with yes or no, or use with immediate, "
            "reference, full",
            fix=f"Content-Signal: {signal_text(fixed)}" if fixed else "",
            severity=Severity.WARNING if valid else None,
        )
    elif line.value != line.value.lower():
        yield finding(
            "signal-spelling",
            [line.number],
            f"{shorten(line.value)!r} has capital letters",
            "there is no published grammar, so a crawler may not recognise them; write it in lower case",
            fix=f"Content-Signal: {signal_text(valid)}",
        )


def _guess_signal(member: str) -> tuple[str, str] | None:
    key, _, value = member.lower().partition("=")
    meant = guess_member(key.strip(), value.strip())
    return (KEYS[meant[0]], "yes" if meant[1] is Preference.ALLOW else "no") if meant else None


def _usage(line: Line) -> Iterator[Finding]:
    path, statement = split_usage(line.value)
    members, valid = members_of(statement), Preferences.parse(statement)
    invalid = [use for use in Category if use in (members or {}) and valid[use] is Preference.UNKNOWN]
    if valid and not invalid:
        return
    meant = guess_usage(statement)
    if invalid:
        what, why = (
            f"the value of {listed(invalid)} is neither y nor n",
            "any other value has no effect (AIPREF vocab-08 §6.5); write y or n",
        )
    else:
        what = "no valid preference for train-ai, ai-use or search"
        why = (
            "one error makes the whole line invalid; write labels in lower case with y or n (AIPREF "
            "vocab-08 §6)"
        )
    yield finding(
        "unreadable-usage",
        [line.number],
        f"{shorten(line.text)!r}: {what}",
        why,
        fix=f"Content-Usage: {pasted(normalise(path)) + ' ' if path else ''}{meant}" if meant else "",
        severity=Severity.WARNING if valid else None,
    )


@dataclass(frozen=True, slots=True)
class _Member:
    use: Category
    allows: bool
    where: str  # a path pattern; "" is the whole site
    text: str
    record: Record

    @property
    def line(self) -> int:
        return self.record.line


class _Fix(TypedDict):
    fix: str
    edits: dict[int, str | None]


def _refusing(members: list[_Member]) -> _Fix:
    """Return a fix: the line of all ``members``, with the value no."""
    record = members[0].record
    value = record.value
    if record.named("Content-Signal"):
        value = re.sub(r"[ \t]*=[ \t]*", "=", value.lower())
    for member in members:
        no = member.text.rpartition("=")[0] + ("=no" if member.text.endswith("yes") else "=n")
        value = value.replace(member.text, no)
    fix = pasted(f"{record.name}: {value}")
    return {"fix": fix, "edits": {record.line: fix}}


def _members(content: Content) -> list[_Member]:
    found: list[_Member] = []
    for record in content.signals:
        if record.named("Content-Signal"):
            found += [
                _Member(CATEGORIES[key], value == "yes", "", f"{key}={value}", record)
                for key, value in parse_content_signal(record.value).items()
                if key in CATEGORIES
            ]
        elif record.named("Content-Usage"):
            path, statement = split_usage(record.value)
            where = "" if path in ("", "/") else normalise(path)
            for use, preference in Preferences.parse(statement):
                if preference is not Preference.UNKNOWN:
                    allows = preference is Preference.ALLOW
                    found.append(_Member(use, allows, where, f"{use}={'y' if allows else 'n'}", record))
    return found


def _disagreeing(members: list[_Member]) -> Iterator[Finding]:
    first: dict[tuple[Category, str], _Member] = {}
    for member in members:
        other = first.setdefault((member.use, member.where), member)
        if other.allows is not member.allows:
            yield finding(
                "signals-disagree",
                [other.line, member.line],
                f"'{other.text}' and '{member.text}' apply to the same crawlers",
                "no standard says which one counts, so each crawler may choose; keep one",
                **_refusing([member if member.allows else other]),
            )


def _granting(members: list[_Member], bound: Binding, crawler: Crawler | None) -> Iterator[Finding]:
    if not any(member.allows for member in members) or bound.reach is not Reach.BLOCKED:
        return
    uses = crawler.purpose.categories if crawler else tuple(Category)
    granting: dict[int, list[_Member]] = {}
    for member in members:
        if member.allows and member.use in uses and (crawler or member.use is not Category.SEARCH):
            granting.setdefault(member.line, []).append(member)
    for line, allowing in granting.items():
        texts = " and ".join(f"'{member.text}'" for member in allowing)
        yield finding(
            "signal-grants-what-is-disallowed",
            [line],
            f"{texts} {'is' if len(allowing) == 1 else 'are'} in the group that blocks "
            f"{listed(bound.tokens)}",
            "the rule forbids fetching, but the line allows the use of pages fetched before; refuse both",
            **_refusing(allowing),
        )


def signal_lines(bound: Binding) -> list[Record]:
    """Return the signal records of a binding."""
    return list(bound.content.signals)


def signals_of_everyone(file: ParsedFile) -> list[Record]:
    """Return the signal records for a crawler that the file doesn't name."""
    return signal_lines(file.index.bound(UNNAMED))
