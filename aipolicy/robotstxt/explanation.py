"""Explain why a crawler may fetch a path, or may not: the group, the rule, and other parsers' answers."""

from dataclasses import dataclass

from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.coverage import binding, group_token
from aipolicy.robotstxt.dialects import DIALECTS
from aipolicy.robotstxt.matching import Ruling, is_robots_txt
from aipolicy.robotstxt.parsed_file import ParsedFile


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answers of RFC 9309 and of each dialect for ``token`` and ``path``.

    Attributes:
        because: ``named`` (the crawler has a group), ``stand-in`` (it has none, and uses another crawler's,
            as its operator documents), ``*`` (the group for everyone) or ``none``.
        agent_lines: The numbers of the User-agent lines that bind it.
        dialects: The answer of each other kind of parser, by its identifier.
    """

    token: str
    path: str
    ruling: Ruling
    because: str
    agent_lines: tuple[int, ...]
    dialects: dict[str, Ruling]
    content_signals: dict[str, str]
    usage_preferences: Preferences
    file: ParsedFile

    def text(self, line: int) -> str:
        """Return a line of the file without its comment; "" for line 0."""
        lines = self.file.lines
        return lines[line - 1].text if 0 < line <= len(lines) else ""


def explain(body: bytes, token: str, path: str) -> Explanation:
    """Explain why the crawler ``token`` may fetch ``path`` (with its query), or may not. Never raises."""
    file = ParsedFile.read(body)
    path = normalise(path if path.startswith("/") else f"/{path}")
    bound, name = binding(file, token), group_token(file, token)
    stands_in = bound.is_named and name != token
    group = file.index.bound(name)
    return Explanation(
        token=token,
        path=path,
        ruling=Ruling(True) if is_robots_txt(path) else bound.rules.decide(path),
        because="stand-in" if stands_in else "named" if bound.is_named else bound.name or "none",
        agent_lines=file.agent_lines(bound.name),
        dialects={dialect.id: dialect.decide(file.body, name, path) for dialect in DIALECTS},
        content_signals=group.content_signals(),
        usage_preferences=group.usage_preferences(path),
        file=file,
    )
