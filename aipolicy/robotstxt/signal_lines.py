"""The signal lines of one robots.txt group: ours, and what may stay of the site's own.

Both drafts scope such a line to its group, so every group that still allows crawling repeats them.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.robotstxt.parser import Record, Rule
from aipolicy.signals.content_signal import combined_signal, content_signal, parse_content_signal, signal_text
from aipolicy.signals.switches import Signals


class Statements:
    """What a policy says in each group. False where it says nothing."""

    def __init__(self, policy: SitePolicy, signals: Signals) -> None:
        site, paths = policy.effective, policy.effective_paths
        self._signal = content_signal(site) if signals.content_signal else {}
        self._usage: dict[str, Preferences] = {}  # path pattern → preferences; "": the whole site
        if signals.content_usage:
            self._usage = ({"": site} if site else {}) | _by_path(paths, site)
        self._says = bool(site) or any(p for _, p in paths)

    def __bool__(self) -> bool:
        return self._says

    def lines(
        self, theirs: Iterable[Rule | Record], closed: Container[str] = ()
    ) -> tuple[list[str], list[Rule | Record]]:
        """Our lines for a group with those records, and the records that stay.

        What is ``closed`` in the group has no preferences (attach-05 §3): no line speaks of it.
        Where a record grants what we refuse, just that member of it is taken out; what else it says is
        also said in ours, so that a reader of either line is not misled.
        """
        signal, usage, kept = self._joined(theirs)
        lines = [f"Content-Signal: {signal_text(signal)}"] if signal else []
        texts: dict[Preferences, str] = {}
        for path in sorted(usage):
            if path not in closed:
                preferences = usage[path]
                statement = texts.get(preferences) or texts.setdefault(preferences, str(preferences))
                lines.append(" ".join(filter(None, ("Content-Usage:", path, statement))))
        return lines, kept

    def kept(self, theirs: Iterable[Rule | Record]) -> list[Rule | Record]:
        """The records that stay."""
        return self._joined(theirs)[2]

    def _joined(
        self, theirs: Iterable[Rule | Record]
    ) -> tuple[dict[str, str], dict[str, Preferences], list[Rule | Record]]:
        """Return the statements of our lines together with theirs, and the records that stay."""
        signal, usage = dict(self._signal), dict(self._usage)
        kept: list[Rule | Record] = []
        for record in theirs:
            stays: Rule | Record | None = record
            if isinstance(record, Record) and signal and record.named("Content-Signal"):
                stays, signal = _without_grants(record, signal)
            elif isinstance(record, Record) and self._usage and record.named("Content-Usage"):
                stays = _usage_without_grants(record, usage)
            if stays is not None:
                kept.append(stays)
        return signal, usage, kept


def _by_path(paths: Iterable[tuple[str, Preferences]], site: Preferences) -> dict[str, Preferences]:
    """The paths that need a line of their own: only the longest that matches applies (attach-05 §3).

    So one that says what the site says needs it too: a shorter one may say otherwise. One that says nothing
    needs it only where something is granted: it must not inherit that.
    """
    stated = dict(paths)
    said = {p for p in stated.values() if p != site}
    if any(preference is Preference.ALLOW for p in said for _, preference in p):
        return stated
    return {path: p for path, p in stated.items() if p} if said else {}


def _without_grants(record: Record, ours: dict[str, str]) -> tuple[Record | None, dict[str, str]]:
    theirs = parse_content_signal(record.value)
    both = combined_signal(ours, theirs)
    stays = {key: said for key, said in theirs.items() if both.get(key, said) == said}
    if stays == theirs:
        return record, both
    return (replace(record, value=signal_text(stays)) if stays else None), both


def _usage_without_grants(record: Record, ours: dict[str, Preferences]) -> Record | None:
    """The record without what ``ours`` disallows; adds to ``ours`` what must be said on its path.

    Only the longest matching line applies (attach-05 §3), so a path of theirs would hide our line for the
    whole site: ours is repeated there. Lines with one path are combined, most restrictive first.
    """
    path, statement = _split(record.value)
    said, refused = Preferences.parse(statement), ours.get(path, ours.get("", Preferences()))
    grants = [c for c in Category if said[c] is Preference.ALLOW and refused[c] is Preference.DISALLOW]
    stays = Preferences(*(Preference.UNKNOWN if c in grants else said[c] for c in Category))
    if grants and not stays:
        return None
    combined = stays.combined(refused)
    if combined:
        ours[path] = combined
    return replace(record, value=f"{path} {stays}".strip(" \t")) if grants else record


def _split(value: str) -> tuple[str, str]:
    """The path ("" where there is none) and the statement of a Content-Usage value (attach-05 §3.1)."""
    if not value.startswith("/"):
        return "", value
    path, _, statement = value.replace("\t", " ").partition(" ")
    return path, statement.strip(" \t")
