"""The Content-Usage lines of a group, for many paths: the answers of ``aipolicy.core.matching``."""

from collections.abc import Iterable

from aipolicy.analysis.rulesets import LongestMatch, PathRule
from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preferences
from aipolicy.core.robots import Record, Rule


class UsageLines:
    """Only the longest line that matches applies, or all of those with its pattern (attach-05 §3)."""

    def __init__(self, records: Iterable[Rule | Record]) -> None:
        self._lines: dict[str, list[tuple[Record, str]]] = {}
        rules = []
        for record in records:
            if isinstance(record, Record) and record.named("Content-Usage"):
                path, statement = split_usage(record.value)
                pattern = normalise(path) if path else "/"
                rules.append(PathRule(True, pattern, record.line))
                self._lines.setdefault(pattern, []).append((record, statement))
        self._patterns = LongestMatch(rules)

    def at(self, path: str) -> list[tuple[Record, str]]:
        """The lines that apply to ``path`` (normalised), and what each states."""
        rule = self._patterns.deciding(path)
        return self._lines[rule.pattern] if rule else []

    def preferences(self, path: str) -> Preferences:
        """What they say together: the most restrictive."""
        preferences = Preferences()
        for statement in dict.fromkeys(statement for _, statement in self.at(path)):
            preferences = preferences.combined(Preferences.parse(statement))
        return preferences


def split_usage(value: str) -> tuple[str, str]:
    """The path ("" where there is none) and the statement of a Content-Usage value (attach-05 §3.1)."""
    if not value.startswith("/"):
        return "", value
    path, _, statement = value.replace("\t", " ").partition(" ")
    return path, statement.strip()
