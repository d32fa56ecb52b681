"""Content-Signal and Content-Usage: whether they say anything, and whether they agree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from aipolicy.core.crawlers import Crawler, crawler_named
from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Category, Preference, Preferences, members_of
from aipolicy.report.text import listed, pasted, shown
from aipolicy.robotstxt.checks.rules import too_many
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.parser import Line, Record
from aipolicy.robotstxt.reach import Reach
from aipolicy.robotstxt.usage import LABELS, MEANT, USE_OF, split_usage, usage_meant
from aipolicy.signals.content_signal import parse_content_signal, signal_text

_COMPARED = 200_000  # signals, in all combinations of groups that bind some crawler
_KEYS = {use: key for key, use in USE_OF.items()}


def check(file: ParsedFile) -> Iterator[Finding]:
    for line in file.lines:
        if line.named("Content-Signal"):
            yield from _signal(line)
        elif line.named("Content-Usage"):
            yield from _usage(line)
    told: set[tuple[str, tuple[int, ...]]] = set()
    alike: dict[tuple[Content, Crawler | None], Binding] = {}
    for bound in file.bindings:
        alike.setdefault((bound.content, crawler_named(bound.name)), bound)
    what: dict[Content, list[_Said]] = {}
    left = _COMPARED
    for (content, crawler), bound in alike.items():
        if content not in what:
            left -= sum(len(part.signals) for part in content.parts) if len(content.parts) > 1 else 0
            if left < 0:
                yield too_many(alike.values(), "signals")
                break
            what[content] = _said(content)
        said = what[content]
        for found in (*_disagreeing(said), *_granting(said, bound, crawler)):
            if (found.id, found.lines) not in told:
                told.add((found.id, found.lines))
                yield found


def _signal(line: Line) -> Iterator[Finding]:
    members = [member.strip(" \t") for member in line.value.split(",")]
    said = parse_content_signal(line.value)
    lost = [member for member in members if not parse_content_signal(member)]
    if lost or not said:
        fixed = said | dict(filter(None, map(_signal_meant, lost)))
        yield finding(
            "unreadable-signal",
            [line.number],
            f"{listed(map(repr, map(shown, lost)), 4)} says nothing" if any(lost) else "the line is empty",
            "members are search, ai-input, ai-train with yes or no, and use with immediate, reference, full",
            fix=f"Content-Signal: {signal_text(fixed)}" if fixed else "",
            severity=Severity.WARNING if said else None,
        )
    elif line.value != line.value.lower():
        yield finding(
            "signal-spelling",
            [line.number],
            f"{shown(line.value)!r} has capital letters",
            "no grammar is published: a reader may compare letter by letter",
            fix=f"Content-Signal: {signal_text(said)}",
        )


def _signal_meant(member: str) -> tuple[str, str] | None:
    key, _, value = member.lower().partition("=")
    use, meant = LABELS.get(key.strip()), MEANT.get(value.strip())
    return (_KEYS[use], "yes" if meant is Preference.ALLOW else "no") if use and meant else None


def _usage(line: Line) -> Iterator[Finding]:
    path, statement = split_usage(line.value)
    members, said = members_of(statement), Preferences.parse(statement)
    void = [use for use in Category if use in (members or {}) and said[use] is Preference.UNKNOWN]
    if said and not void:
        return
    meant = usage_meant(statement)
    if void:
        what, why = (
            f"{listed(void)} is neither y nor n",
            "any other value says nothing (AIPREF vocab-08 §6.5)",
        )
    else:
        what = "it says nothing about train-ai, ai-use or search"
        why = (
            "one slip voids the whole line: labels are in lower case, and values y or n (AIPREF vocab-08 §6)"
        )
    yield finding(
        "unreadable-usage",
        [line.number],
        f"{shown(line.text)!r}: {what}",
        why,
        fix=f"Content-Usage: {pasted(normalise(path)) + ' ' if path else ''}{meant}" if meant else "",
        severity=Severity.WARNING if said else None,
    )


@dataclass(frozen=True, slots=True)
class _Said:
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


def _refusing(saying: list[_Said]) -> _Fix:
    """A fix: the line of all of ``saying``, saying no."""
    record = saying[0].record
    value = record.value
    if record.named("Content-Signal"):
        value = re.sub(r"[ \t]*=[ \t]*", "=", value.lower())
    for said in saying:
        no = said.text.rpartition("=")[0] + ("=no" if said.text.endswith("yes") else "=n")
        value = value.replace(said.text, no)
    fix = pasted(f"{record.name}: {value}")
    return {"fix": fix, "edits": {record.line: fix}}


def _said(content: Content) -> list[_Said]:
    said: list[_Said] = []
    for record in content.signals:
        if record.named("Content-Signal"):
            members = parse_content_signal(record.value).items()
            said += [
                _Said(USE_OF[key], value == "yes", "", f"{key}={value}", record)
                for key, value in members
                if key in USE_OF
            ]
        elif record.named("Content-Usage"):
            path, statement = split_usage(record.value)
            where = "" if path in ("", "/") else normalise(path)
            for use, preference in Preferences.parse(statement):
                if preference is not Preference.UNKNOWN:
                    allows = preference is Preference.ALLOW
                    said.append(_Said(use, allows, where, f"{use}={'y' if allows else 'n'}", record))
    return said


def _disagreeing(all_said: list[_Said]) -> Iterator[Finding]:
    first: dict[tuple[Category, str], _Said] = {}
    for said in all_said:
        other = first.setdefault((said.use, said.where), said)
        if other.allows is not said.allows:
            yield finding(
                "signals-disagree",
                [other.line, said.line],
                f"'{other.text}' and '{said.text}' hold for the same crawlers",
                "which one counts is up to the reader: nothing published says",
                **_refusing([said if said.allows else other]),
            )


def _granting(all_said: list[_Said], bound: Binding, crawler: Crawler | None) -> Iterator[Finding]:
    if not any(said.allows for said in all_said) or bound.reach is not Reach.BLOCKED:
        return
    uses = crawler.purpose.categories if crawler else tuple(Category)
    granting: dict[int, list[_Said]] = {}
    for said in all_said:
        if said.allows and said.use in uses and (crawler or said.use is not Category.SEARCH):
            granting.setdefault(said.line, []).append(said)
    for line, saying in granting.items():
        whose, what = listed(bound.tokens), " and ".join(f"'{said.text}'" for said in saying)
        yield finding(
            "signal-grants-what-is-disallowed",
            [line],
            f"{what} {'stands' if len(saying) == 1 else 'stand'} in the group that shuts {whose} out",
            "the rule stops fetching, yet the line grants the use of what is had already",
            **_refusing(saying),
        )


def signal_lines(bound: Binding) -> list[Record]:
    """The signal records that hold for those whom a group binds."""
    return list(bound.content.signals)


def signals_of_everyone(file: ParsedFile) -> list[Record]:
    """The signal records that hold for a crawler that the file doesn't name."""
    return signal_lines(file.index.bound(UNNAMED))
