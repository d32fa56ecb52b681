"""Small models of parsers that read robots.txt differently from RFC 9309, tested against the real ones.

A file that all of them read alike is read alike by nearly every crawler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aipolicy.robotstxt.dialects import google, protego, urllib
from aipolicy.robotstxt.matching import RuleSet, Ruling

__all__ = ["DIALECTS", "Dialect", "DialectFile"]


class DialectFile(Protocol):
    """A file as parsers of one dialect read it."""

    def bound(self, token: str) -> RuleSet:
        """Return the rules that bind a product token: the same object for all that one group binds."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """Parsers that read alike. ``used_by``: their names, for people."""

    id: str
    used_by: str
    read: Callable[[bytes], DialectFile]
    exempts_robots_txt: bool

    def decide(self, body: bytes, token: str, path: str) -> Ruling:
        """Return the ruling for the crawler ``token`` on ``path`` (normalised)."""
        if self.exempts_robots_txt and path == "/robots.txt":
            return Ruling(True)
        return self.read(body).bound(token).decide(path)


DIALECTS: tuple[Dialect, ...] = (
    Dialect("google", "Google's parser and its ports", google.GoogleFile, False),
    Dialect("protego", "protego, the parser of Scrapy", protego.ProtegoFile, True),
    Dialect("urllib-old", "urllib.robotparser of Python up to 3.12", urllib.OldFile, False),
    Dialect(
        "urllib-new",
        "urllib.robotparser of Python since the patches of May 2026",
        urllib.NewFile,
        True,
    ),
)
"""All dialects. RFC 9309 itself, to which they are compared, is ``aipolicy.robotstxt.matching``."""
