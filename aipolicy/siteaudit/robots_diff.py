"""What clients' robots.txt do otherwise than a given one, as far as their size lets that be compared."""

from collections.abc import Iterator

from aipolicy.report.text import listed
from aipolicy.robotstxt import Difference, compare
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.access import effective
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.observation import Answer

_MOST = 512 * 1024  # octets compared with one file, and its own: what that takes grows with them, to seconds


class Differing:
    """Compares answers with ``base``, by effect; ``left_out`` tells of those that are too large."""

    def __init__(self, base: bytes) -> None:
        self._base = base
        self._known: dict[bytes, list[Difference]] = {base: []}
        self._left = _MOST
        self._left_out: list[str] = []

    def __call__(self, whose: str, answer: Answer) -> list[Difference]:
        """The differences; none where it is too large."""
        served = effective(answer)
        if served not in self._known:
            self._left -= len(self._base) + len(served)
            if self._left < 0:
                self._left_out.append(whose)
                return []
            self._known[served] = list(compare(self._base, served))
        return self._known[served]

    def left_out(self, severity: Severity | None = None) -> Iterator[Finding]:
        """A finding, as grave as its kind is unless told otherwise; or nothing."""
        if self._left_out:
            yield finding(
                "robots-not-compared",
                "robots.txt",
                f"{listed(dict.fromkeys(self._left_out))}: other octets, and too many",
                f"no more than {_MOST // 1024} KiB are compared: that one may say something else",
                fix="answer /robots.txt alike to everyone, and shorten it",
                severity=severity,
            )
