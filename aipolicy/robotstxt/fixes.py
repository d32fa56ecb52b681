"""Edits that a fix asks for: what is replaced in a file, and the file after that."""

import re
from collections.abc import Iterable, Mapping

from aipolicy.robotstxt.parsed_file import ParsedFile, SourceGroup
from aipolicy.robotstxt.parser import LineKind, product_token

Edits = Mapping[int, str | None]
"""Line number → the lines that stand there instead, None: the line goes. Behind the last line it appends."""

_LINE_END = re.compile(rb"(\r\n|\r|\n)")


def edited(octets: bytes, edits: Edits) -> bytes:
    """Return the file with ``edits`` made, every other line as it was."""
    parts = _LINE_END.split(octets)
    lines, ends = parts[::2], [*parts[1::2], b""]
    written = []
    for number, (line, end) in enumerate(zip(lines, ends, strict=True), 1):
        text = edits.get(number, "") if number in edits else line
        if text is not None:
            written.append((text if isinstance(text, bytes) else text.encode()) + end)
    whole = b"".join(written)
    for number in sorted(n for n in edits if n > len(lines)):
        newline = b"" if not whole or whole.endswith((b"\n", b"\r")) else b"\n"
        whole += newline + (edits[number] or "").encode() + b"\n"
    return whole


def own_groups(file: ParsedFile, tokens: Iterable[str], text: str) -> dict[int, str | None]:
    """Edits that put ``text`` above all groups, and take ``tokens`` out of every group that there is."""
    names = {token.lower() for token in tokens}
    edits: dict[int, str | None] = {}
    for group in file.groups:
        gone = [line.number for line in group.agents if product_token(line.value).lower() in names]
        if len(gone) == len(group.agents):
            gone += [line.number for line in group.body if line.is_rule or line.kind is LineKind.OTHER]
        edits |= dict.fromkeys(gone)
    if not file.groups:
        return {len(file.lines) + 1: text}
    first = file.groups[0].agents[0]
    edits[first.number] = f"{text}\n" if first.number in edits else f"{text}\n\n{first.text}"
    return edits


def below_agents(group: SourceGroup, text: str) -> dict[int, str | None]:
    """Edits that put ``text`` into a group, below its User-agent lines."""
    last = group.agents[-1]
    return {last.number: f"{last.text}\n{text}"}
