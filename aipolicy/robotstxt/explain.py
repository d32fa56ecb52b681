"""Why a crawler may fetch a path, or may not: the group, the rule, and what other parsers would say."""

from dataclasses import dataclass

from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.coverage import binding, whose_group
from aipolicy.robotstxt.dialects import DIALECTS
from aipolicy.robotstxt.matching import Ruling, content_signals, usage_preferences
from aipolicy.robotstxt.parsed_file import ParsedFile


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of RFC 9309 for ``token`` and ``path``, and of each dialect.

    ``because``: ``named`` (the crawler has a group), ``stand-in`` (it has none, and uses another
    crawler's, as its operator documents), ``*`` (the group for everyone) or ``none``.
    ``agent_lines`` are the User-agent lines that bind it; ``ruling.line`` is the rule's, 0 without one.
    """

    token: str
    path: str
    ruling: Ruling
    because: str
    agent_lines: tuple[int, ...]
    families: dict[str, Ruling]
    content_signals: dict[str, str]
    usage_preferences: Preferences
    file: ParsedFile

    def text(self, line: int) -> str:
        """A line of the file as it was written, without its comment; "" for line 0."""
        lines = self.file.lines
        return lines[line - 1].text if 0 < line <= len(lines) else ""


def explain(octets: bytes, token: str, path: str) -> Explanation:
    """Say why the crawler ``token`` may fetch ``path`` (with its query), or may not. Never raises."""
    file = ParsedFile.read(octets)
    path = normalise(path if path.startswith("/") else f"/{path}")
    bound, name = binding(file, token), whose_group(file, token)
    stands_in = bound.is_named and name != token
    return Explanation(
        token=token,
        path=path,
        ruling=Ruling(True) if path.partition("?")[0] == "/robots.txt" else bound.rules.decide(path),
        because="stand-in" if stands_in else "named" if bound.is_named else bound.name or "none",
        agent_lines=file.agent_lines(bound.name),
        families={dialect.id: dialect.decide(file.octets, name, path) for dialect in DIALECTS},
        content_signals=content_signals(file.robots, name),
        usage_preferences=usage_preferences(file.robots, name, path),
        file=file,
    )
