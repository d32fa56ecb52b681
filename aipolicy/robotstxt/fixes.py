"""Fixes as edits of a file's lines."""

import re
from collections.abc import Iterable, Mapping

from aipolicy.robotstxt.parsed_file import ParsedFile, SourceGroup
from aipolicy.robotstxt.parser import LineKind, product_token

Edits = Mapping[int, str | None]
"""Line number → the lines that replace it; None removes it. A number behind the last line appends."""

_LINE_END = re.compile(rb"(\r\n|\r|\n)")


def edited(body: bytes, edits: Edits) -> bytes:
    """Return the file with ``edits`` made, every other line as it was."""
    parts = _LINE_END.split(body)
    lines, ends = parts[::2], [*parts[1::2], b""]
    written = []
    for number, (line, end) in enumerate(zip(lines, ends, strict=True), 1):
        text = edits.get(number, "") if number in edits else line
        if text is not None:
            written.append((text if isinstance(text, bytes) else text.encode()) + end)
    result = b"".join(written)
    for number in sorted(n for n in edits if n > len(lines)):
        newline = b"" if not result or result.endswith((b"\n", b"\r")) else b"\n"
        result += newline + (edits[number] or "").encode() + b"\n"
    return result


def own_groups(file: ParsedFile, tokens: Iterable[str], text: str) -> dict[int, str | None]:
    """Return edits that put ``text`` above all groups, and remove ``tokens`` from every other group."""
    names = {token.lower() for token in tokens}
    edits: dict[int, str | None] = {}
    for group in file.groups:
        removed = [line.number for line in group.agents if product_token(line.value).lower() in names]
        if len(removed) == len(group.agents):
            removed += [line.number for line in group.body if line.is_rule or line.kind is LineKind.OTHER]
        edits |= dict.fromkeys(removed)
    if not file.groups:
        return {len(file.lines) + 1: text}
    first = file.groups[0].agents[0]
    edits[first.number] = f"{text}\n" if first.number in edits else f"{text}\n\n{first.text}"
    return edits


def below_agents(group: SourceGroup, text: str) -> dict[int, str | None]:
    """Return edits that put ``text`` into a group, below its User-agent lines."""
    last = group.agents[-1]
    return {last.number: f"{last.text}\n{text}"}
