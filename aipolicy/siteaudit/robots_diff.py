"""The differences of effect between robots.txt files that a site serves, and their wording."""

from collections.abc import Iterable, Iterator

from aipolicy.report.text import listed, shorten
from aipolicy.robotstxt import Difference, compare
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.observation import FetchResult, effective

_MOST = 512 * 1024  # bytes compared with one file, and its own: the time grows with them, to seconds
_LISTED = 3  # differences in one line
_BEST_KNOWN = (
    *("GPTBot", "ClaudeBot", "CCBot", "Google-Extended", "Googlebot", "bingbot", "OAI-SearchBot"),
    *("meta-externalagent", "Bytespider", "Applebot-Extended", "PerplexityBot", "ChatGPT-User", "Amazonbot"),
)
_RANKS = {name: rank for rank, name in enumerate(_BEST_KNOWN)}


class RobotsComparison:
    """Compares answers with one robots.txt by effect, up to a total size."""

    def __init__(self, base: bytes) -> None:
        self._base = base
        self._known: dict[bytes, list[Difference]] = {base: []}
        self._left = _MOST
        self._too_large: list[str] = []

    def __call__(self, client: str, answer: FetchResult) -> list[Difference]:
        """Return the differences; none if the file is too large to compare."""
        served = effective(answer)
        if served not in self._known:
            self._left -= len(self._base) + len(served)
            if self._left < 0:
                self._too_large.append(client)
                return []
            self._known[served] = list(compare(self._base, served))
        return self._known[served]

    def not_compared(self, severity: Severity | None = None) -> Iterator[SiteFinding]:
        """Yield a finding about the files that were too large, if any."""
        if self._too_large:
            yield finding(
                "robots-not-compared",
                "robots.txt",
                f"the file for {listed(dict.fromkeys(self._too_large))} differs and is too large to compare",
                f"at most {_MOST // 1024} KiB are compared, so this file may have other rules",
                fix="serve the same /robots.txt to every client, and shorten it",
                severity=severity,
            )


def effect_text(differences: Iterable[Difference]) -> str:
    """Return what changes from one robots.txt to another, in a line."""
    found = list(differences)
    parts = [difference_text(difference) for difference in found[:_LISTED]]
    more = len(found) - _LISTED
    return "; ".join([*parts, f"and {more} more" if more > 0 else ""]).removesuffix("; ")


def difference_text(difference: Difference, *, after: str = "now") -> str:
    """Return one difference in words: ``GPTBot may now fetch /``."""
    crawlers, change = _crawlers(difference), difference.change
    parts = []
    if change.opened:
        parts.append(f"may {after} fetch {listed(change.opened, 3)}".replace("  ", " "))
    if change.closed:
        parts.append(f"may {'no longer' if after == 'now' else 'not'} fetch {listed(change.closed, 3)}")
    if not parts:  # where access changes the signals change by that alone
        for where, old, new in change.signals[:_LISTED]:
            parts.append(f"{where} is {shorten(new) or 'absent'} instead of {shorten(old) or 'absent'}")
    return f"{crawlers}: {', '.join(parts)}"


def best_known_first(names: Iterable[str]) -> list[str]:
    """Sort product tokens, the best known first: of a hundred, a reader sees three."""
    return sorted(names, key=lambda name: (_RANKS.get(name, len(_RANKS)), name.lower()))


def _crawlers(difference: Difference) -> str:
    names = listed(best_known_first(difference.tokens), 4)
    if difference.others:
        return f"any crawler that isn't named, {names}" if names else "every crawler"
    return names
