"""The signal lines of one robots.txt group: ours, and those of the site that may be kept.

Such a line applies to its group alone, so every group that still allows crawling repeats them.
"""

from collections.abc import Container, Iterable
from dataclasses import replace

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.parser import Record, Rule
from aipolicy.signals import content_signal, content_usage
from aipolicy.signals.switches import Signals


class SignalLines:
    """The signal lines of a policy for any group. False if the policy states nothing."""

    def __init__(self, policy: SitePolicy, signals: Signals) -> None:
        site, paths = policy.effective, policy.effective_paths
        self._signal = content_signal.content_signal(site) if signals.content_signal else {}
        self._usage = content_usage.usage_by_path(policy, signals)
        self._states_anything = bool(site) or any(p for _, p in paths)

    def __bool__(self) -> bool:
        return self._states_anything

    def lines(
        self, own: Iterable[Rule | Record], closed: Container[str] = ()
    ) -> tuple[list[str], list[Rule | Record]]:
        """Return our lines for a group with the records ``own``, and the records that are kept.

        Paths in ``closed`` have no preferences (attach-05 §3), so they get no line. If a record grants
        something that we refuse, only that member is removed. Our line repeats the others, so that both lines
        are right.
        """
        signal, usage, kept = self._joined(own)
        lines = [f"Content-Signal: {content_signal.signal_text(signal)}"] if signal else []
        texts: dict[Preferences, str] = {}
        for path in sorted(usage):
            if path not in closed:
                preferences = usage[path]
                statement = texts.get(preferences) or texts.setdefault(preferences, str(preferences))
                lines.append(content_usage.usage_line(path, statement))
        return lines, kept

    def kept(self, own: Iterable[Rule | Record]) -> list[Rule | Record]:
        """Return the records that are kept."""
        return self._joined(own)[2]

    def _joined(
        self, own: Iterable[Rule | Record]
    ) -> tuple[dict[str, str], dict[str, Preferences], list[Rule | Record]]:
        """Return the statements of our lines and ``own`` together, and the records that are kept."""
        signal, usage = dict(self._signal), dict(self._usage)
        kept: list[Rule | Record] = []
        for record in own:
            remaining: Rule | Record | None = record
            if isinstance(record, Record) and signal and record.named("Content-Signal"):
                value, signal = content_signal.without_grants(record.value, signal)
                remaining = _with_value(record, value)
            elif isinstance(record, Record) and self._usage and record.named("Content-Usage"):
                remaining = _with_value(record, content_usage.without_grants(record.value, usage))
            if remaining is not None:
                kept.append(remaining)
        return signal, usage, kept


def _with_value(record: Record, value: str | None) -> Record | None:
    if value is None or value == record.value:
        return record if value is not None else None
    return replace(record, value=value)
