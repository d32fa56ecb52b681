"""An independent judge, written from the definitions alone: one fetch, one instant at a time."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from aipolicy.robotstxt.matching import Verdict, verdict
from aipolicy.robotstxt.parser import RobotsTxt

HOUR = 3_600_000_000
DOCUMENTED = {"Amzn-SearchBot": 24, "DuckAssistBot": 72, "GPTBot": 24, "YouBot": 0.5}
"""The hours for which the operators of some crawlers keep a robots.txt, by their documentation."""
ALTERNATIVES = {
    "Amzn-SearchBot": ["Googlebot", "bingbot"],
    "Applebot": ["Googlebot"],
    "Google-CloudVertexBot": ["Googlebot"],
    "Googlebot-Image": ["Googlebot"],
    "Googlebot-News": ["Googlebot"],
    "Googlebot-Video": ["Googlebot"],
    "GoogleOther-Image": ["GoogleOther"],
    "GoogleOther-Video": ["GoogleOther"],
}
"""The groups that some crawlers use if none names them, by their operators' documentation."""
OWN_NAME_ONLY = ["YandexAdditional", "YandexAdditionalBot"]
"""Crawlers that ``*`` doesn't bind, as their operators say."""


@dataclass(frozen=True)
class Declaration:
    """A line of a policies file; ``at`` None: always; ``hosts`` None: not stated."""

    site: str
    at: int | None
    robots: bytes
    hosts: frozenset[str] | None = None


@dataclass(frozen=True)
class Answer:
    site: str | None
    known: bool
    allowed: bool
    graced: bool
    line: int | None
    policy: str | None


@dataclass
class History:
    """The declarations in the order of the file."""

    declarations: list[Declaration]
    _verdicts: dict[tuple[bytes, str, str], Verdict] = field(default_factory=dict)

    @property
    def instants(self) -> list[int]:
        return sorted({one.at for one in self.declarations if one.at is not None})

    def contradicts_itself(self) -> bool:
        return any(
            len(self._owners(host, when)) > 1 for when in (None, *self.instants) for host in self._all_hosts()
        )

    def judge(
        self, host: str | None, time: int, crawler: str, path: str | None, grace_hours: float
    ) -> Answer:
        current = self._in_force(host, time)
        answer = self._verdict(current, crawler, path)
        window = int(max(grace_hours, DOCUMENTED.get(crawler, 0)) * HOUR)
        # What is in force changes at those instants only. One that was replaced just at the window's edge
        # was in force until then.
        moments = {time - window - 1, time - window}
        moments |= {at for at in self.instants if time - window <= at <= time}
        excused = any(self._verdict(self._in_force(host, at), crawler, path).allowed for at in moments)
        first = next((one for at in (None, *self.instants) if (one := self._in_force(host, at))), None)
        before = first is not None and first[1].at is not None and time < first[1].at
        displayed = first if before and current is None else current
        return Answer(
            site=displayed[1].site if displayed else host,
            known=first is not None,
            allowed=answer.allowed,
            graced=not answer.allowed and excused,
            line=answer.rule.line if answer.rule else None,
            policy=f"line {current[0]}" if current else None,
        )

    def _verdict(self, current: tuple[int, Declaration] | None, crawler: str, path: str | None) -> Verdict:
        path = path or "/"
        if current is None or not path.startswith("/"):
            return Verdict(True, None, None)
        key = current[1].robots, crawler, path
        if key not in self._verdicts:
            self._verdicts[key] = fairest(RobotsTxt.parse(current[1].robots), crawler, path)
        return self._verdicts[key]

    def _in_force(self, host: str | None, when: int | None) -> tuple[int, Declaration] | None:
        """Return the line in force on ``host`` at ``when`` (None: before all times), and its number."""
        owners = self._owners(host, when)
        if not owners:
            return None
        return list(self._until(owners[0], when))[-1]

    def _owners(self, host: str | None, when: int | None) -> list[str]:
        found = []
        for site in dict.fromkeys(one.site for one in self.declarations):
            hosts: frozenset[str] | None = None
            for _, one in self._until(site, when):
                stated = one.hosts if one.hosts is not None else hosts or frozenset()
                hosts = stated | {site}
            if hosts and host in hosts:
                found.append(site)
        return found

    def _until(self, site: str, when: int | None) -> Iterable[tuple[int, Declaration]]:
        lines = [
            (number, one)
            for number, one in enumerate(self.declarations, 1)
            if one.site == site and (one.at is None or (when is not None and one.at <= when))
        ]
        return sorted(lines, key=lambda line: (line[1].at is not None, line[1].at or 0, line[0]))

    def _all_hosts(self) -> set[str]:
        return {host for one in self.declarations for host in {one.site, *(one.hosts or ())}}


def fairest(robots: RobotsTxt, crawler: str, path: str) -> Verdict:
    """Return the verdict by the crawler's group; if none names it, by one that allows the path."""
    own = verdict(robots, crawler, path)
    named = {token.lower() for group in robots.groups for token in group.tokens}
    if crawler.lower() in named:
        return own
    if crawler in OWN_NAME_ONLY:
        return Verdict(True, None, None)
    if own.allowed:
        return own
    others = [other for other in ALTERNATIVES.get(crawler, ()) if other.lower() in named]
    return next((v for other in others if (v := verdict(robots, other, path)).allowed), own)
