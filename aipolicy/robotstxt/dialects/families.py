"""How families of parsers read a robots.txt: small models, kept true by tests against the real parsers.

A file that all of them read alike is read alike by nearly every crawler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aipolicy.robotstxt.dialects import google, protego, urllib
from aipolicy.robotstxt.rule_index import RuleSet, Ruling


class Reading(Protocol):
    """One file as one family reads it."""

    def bound(self, token: str) -> RuleSet:
        """The rules that bind a product token: the same object for all that one group binds."""
        ...


@dataclass(frozen=True, slots=True)
class Family:
    """Parsers that read alike. ``used_by``: who they are, for people."""

    id: str
    used_by: str
    read: Callable[[bytes], Reading]
    exempts_robots_txt: bool

    def decide(self, octets: bytes, token: str, path: str) -> Ruling:
        """May the crawler ``token`` fetch ``path`` (normalised)? And which line says so."""
        if self.exempts_robots_txt and path == "/robots.txt":
            return Ruling(True)
        return self.read(octets).bound(token).decide(path)


FAMILIES: tuple[Family, ...] = (
    Family("google", "Google's parser and its ports", google.read, False),
    Family("protego", "protego, the parser of Scrapy", protego.read, True),
    Family("urllib-old", "urllib.robotparser of Python up to 3.12", urllib.read_old, False),
    Family(
        "urllib-new",
        "urllib.robotparser of Python since the patches of May 2026",
        urllib.read_new,
        True,
    ),
)
"""All families; RFC 9309 itself, the measure, is ``aipolicy.robotstxt.group_index``."""
