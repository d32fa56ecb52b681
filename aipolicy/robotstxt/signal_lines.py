"""The signal lines of one robots.txt group: ours, and what may stay of the site's own.

Both drafts scope such a line to its group, so every group that still allows crawling repeats them.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.parser import Record, Rule
from aipolicy.signals import content_signal, content_usage
from aipolicy.signals.switches import Signals


class Statements:
    """What a policy says in each group. False where it says nothing."""

    def __init__(self, policy: SitePolicy, signals: Signals) -> None:
        site, paths = policy.effective, policy.effective_paths
        self._signal = content_signal.content_signal(site) if signals.content_signal else {}
        self._usage = content_usage.usage_by_path(policy, signals)
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
        lines = [f"Content-Signal: {content_signal.signal_text(signal)}"] if signal else []
        texts: dict[Preferences, str] = {}
        for path in sorted(usage):
            if path not in closed:
                preferences = usage[path]
                statement = texts.get(preferences) or texts.setdefault(preferences, str(preferences))
                lines.append(content_usage.usage_line(path, statement))
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
                value, signal = content_signal.without_grants(record.value, signal)
                stays = _with_value(record, value)
            elif isinstance(record, Record) and self._usage and record.named("Content-Usage"):
                stays = _with_value(record, content_usage.without_grants(record.value, usage))
            if stays is not None:
                kept.append(stays)
        return signal, usage, kept


def _with_value(record: Record, value: str | None) -> Record | None:
    if value is None or value == record.value:
        return record if value is not None else None
    return replace(record, value=value)
