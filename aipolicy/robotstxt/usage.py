"""The Content-Usage lines of a group, for many paths: the answers of ``aipolicy.robotstxt.matching``."""

from collections.abc import Iterable

from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.robotstxt.parser import Record, Rule
from aipolicy.robotstxt.rule_index import LongestMatch, Part, PathRule

USE_OF = {"search": Category.SEARCH, "ai-input": Category.AI_USE, "ai-train": Category.TRAIN_AI}
"""The uses that Content-Signal's keys speak of."""

LABELS = USE_OF | {str(use): use for use in Category}
"""Each use by its labels in Content-Signal and in Content-Usage: people take one for the other."""

MEANT = {
    word: said
    for said, words in (
        (Preference.ALLOW, ("y", "yes", "true", "1")),
        (Preference.DISALLOW, ("n", "no", "false", "0")),
    )
    for word in words
}
"""What a word for a value means."""

_PLAIN_NO = frozenset({"n", "no", "none", "noai", "disallow"})


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


def split_usage(value: str) -> tuple[str, str]:
    """The path ("" where there is none) and the statement of a Content-Usage value (attach-05 §3.1)."""
    if not value.startswith("/"):
        return "", value
    path, _, statement = value.replace("\t", " ").partition(" ")
    return path, statement.strip(" \t")


def usage_meant(statement: str) -> Preferences:
    """What was probably meant, from each member that can be guessed: a yes is only guessed where one stands.

    A plain no is one to training. Of members that disagree the stricter counts.
    """
    words = statement.lower().replace("=", " = ").replace(",", " ").replace(";", " ").split()
    if len(words) == 1 and words[0] in _PLAIN_NO:
        return Preferences(train_ai=Preference.DISALLOW)
    meant: dict[Category, Preference] = {}
    for label, equals, value in zip(words, words[1:], words[2:], strict=False):
        use, said = LABELS.get(label.replace("_", "-")), MEANT.get(value.strip('"?()'))
        if equals == "=" and use and said and meant.get(use) is not Preference.DISALLOW:
            meant[use] = said
    return Preferences(*(meant.get(use, Preference.UNKNOWN) for use in Category))
