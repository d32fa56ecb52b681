"""The Content-Usage lines of a group, for many paths: the answers of ``aipolicy.robotstxt.matching``."""

from collections.abc import Iterable

from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.parser import Record, Rule
from aipolicy.robotstxt.rule_index import LongestMatch, Part, PathRule
from aipolicy.signals.content_usage import split_usage


def is_signal(record: Record) -> bool:
    """Return True for a Content-Signal or Content-Usage line."""
    return record.name[:8].lower() == "content-" and (
        record.named("Content-Usage") or record.named("Content-Signal")
    )


class UsagePart:
    """The Content-Usage lines of one group, shared by all ``UsageLines`` that it is part of."""

    def __init__(self, records: Iterable[Rule | Record]) -> None:
        self.lines: dict[str, list[tuple[Record, str]]] = {}
        rules = []
        for record in records:
            if isinstance(record, Record) and record.named("Content-Usage"):
                path, statement = split_usage(record.value)
                pattern = normalise(path) if path else "/"
                rules.append(PathRule(True, pattern, record.line))
                self.lines.setdefault(pattern, []).append((record, statement))
        self.patterns = Part(rules, literally=False)


class UsageLines:
    """Only the longest line that matches applies, or all of those with its pattern (attach-05 §3)."""

    def __init__(self, parts: Iterable[UsagePart]) -> None:
        self._parts = [part for part in parts if part.lines]
        self._patterns = LongestMatch(part.patterns for part in self._parts)

    def at(self, path: str) -> list[tuple[Record, str]]:
        """The lines that apply to ``path`` (normalised), and what each states."""
        rule = self._patterns.deciding(path)
        if rule is None:
            return []
        return [line for part in self._parts for line in part.lines.get(rule.pattern, ())]

    def preferences(self, path: str) -> Preferences:
        """What they say together: the most restrictive."""
        preferences = Preferences()
        for statement in dict.fromkeys(statement for _, statement in self.at(path)):
            preferences = preferences.combined(Preferences.parse(statement))
        return preferences
