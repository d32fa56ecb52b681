"""Checks of field names, and of lines without one."""

import difflib
from collections.abc import Iterator

from aipolicy.report.text import pasted, shorten
from aipolicy.robotstxt.checks.content import is_not_robots_txt
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.malformed_lines import MalformedLine
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import DISALLOW, SITEMAP, USER_AGENT, Line, LineKind, Record

_SPELT = {LineKind.AGENT: "User-agent", LineKind.ALLOW: "Allow", LineKind.DISALLOW: "Disallow"}
_READ = frozenset({"user-agent", "allow", "disallow", "sitemap", "host"})
# Fields of other crawlers and published conventions.
_OTHERS = frozenset(
    {"content-signal", "content-usage", "crawl-delay", "request-rate", "visit-time", "clean-param", "license"}
)
_MEANT = {kind.value: name for kind, name in _SPELT.items()} | {
    "sitemap": "Sitemap",
    "crawl-delay": "Crawl-delay",
    "content-signal": "Content-Signal",
    "content-usage": "Content-Usage",
}
_LIKENESS = 0.8


def check(file: ParsedFile) -> Iterator[Finding]:
    other_file = is_not_robots_txt(file)
    unread: dict[str, list[Line]] = {}
    for line in file.lines:
        if line.number in file.malformed:
            if not other_file:
                yield _malformed(line, file.malformed[line.number])
        elif line.kind is LineKind.UNREADABLE and not other_file:
            yield _unreadable(line)
        elif line.kind in (LineKind.AGENT, LineKind.ALLOW, LineKind.DISALLOW, LineKind.SITE_WIDE):
            yield from _known(line)
        elif line.kind is LineKind.OTHER and not other_file:
            yield from _other(line)
            if _is_unread(line):
                unread.setdefault(line.name.lower(), []).append(line)
    yield from map(_unread, unread.values())
    delays = [line.number for line in file.lines if line.named("Crawl-delay")]
    if delays:
        yield finding(
            "crawl-delay",
            delays,
            "the file has a Crawl-delay",
            "Google and Amazon ignore it, Bing and Common Crawl obey it; it blocks no crawler",
        )


def _malformed(line: Line, one: MalformedLine) -> Finding:
    fix = "\n".join(map(pasted, one.meant))
    return finding(
        one.kind,
        [line.number],
        f"{shorten(line.text)!r}: {one.found}",
        one.effect,
        fix=fix,
    )


def _unreadable(line: Line) -> Finding:
    return finding(
        "unreadable-line",
        [line.number],
        f"{shorten(line.text)!r} doesn't have the form 'name: value'",
        "every parser ignores it; make it a comment or correct it",
        fix=f"# {pasted(line.text)}",
    )


def _known(line: Line) -> Iterator[Finding]:
    field = line.name.lower()
    proper = _proper(line)
    fix = f"{proper}: {pasted(line.value)}".rstrip(" \t")
    if not line.has_colon:
        yield _missing_colon(line, fix)
    elif field not in _READ:
        yield finding(
            "misspelt-field",
            [line.number],
            f"'{shorten(line.name)}' is a misspelling of '{proper}'",
            "Google's parser and protego accept the misspelling; Python's and others ignore the line; "
            "correct it",
            fix=fix,
            severity=Severity.NOTE if line.kind is LineKind.SITE_WIDE else None,
        )
    if field in SITEMAP and line.value and "://" not in line.value:
        yield finding(
            "sitemap-not-absolute",
            [line.number],
            f"{shorten(line.value)!r} is not a full URL",
            "crawlers ignore a sitemap without a full URL; write https:// and your host before it",
            fix=f"Sitemap: https:{pasted(line.value)}" if line.value.startswith("//") else "",
        )


def _missing_colon(line: Line, fix: str) -> Finding:
    return finding(
        "missing-colon",
        [line.number],
        f"{shorten(line.text)!r} has no colon",
        "lenient parsers read the line, others ignore it; add the colon",
        fix=fix,
    )


def _other(line: Line) -> Iterator[Finding]:
    name, _, value = line.text.replace("\t", " ").partition(" ")
    if name.lower() in SITEMAP and value.strip(" \t").startswith(("http:", "https:")):
        url = value.strip(" \t")
        yield _missing_colon(line, f"Sitemap: {pasted(url)}")
        return
    field = line.name.lower()
    meant = _guess_field(field)
    if Record(line.name, line.value).read_differently:
        named = next(n for n in (*USER_AGENT, "allow", *DISALLOW, *SITEMAP) if field.startswith(n))
        proper = _proper_name(named)
        yield finding(
            "read-as-rule",
            [line.number],
            f"'{shorten(line.name)}' is not a known field, but begins like '{proper}'",
            f"Google's parser reads the line as '{proper}: {shorten(line.value)}'; others ignore it",
            # Disallow-AI and the like are meant so: as a comment the line is the same to all parsers.
            fix=f"{proper}: {pasted(line.value)}"
            if _is_misspelling(field, named)
            else f"# {pasted(line.text)}",
        )
    elif meant and field != meant.lower():
        yield finding(
            "misspelt-field",
            [line.number],
            f"'{shorten(line.name)}' is probably a misspelling of '{meant}'",
            "every parser ignores the line; correct the name",
            fix=f"{meant}: {pasted(line.value)}",
        )


def _is_misspelling(field: str, meant: str) -> bool:
    return difflib.SequenceMatcher(None, field, meant).ratio() >= _LIKENESS


def _is_unread(line: Line) -> bool:
    field = line.name.lower()
    read = field in _OTHERS or _guess_field(field) or Record(line.name, line.value).read_differently
    return not read


def _unread(lines: list[Line]) -> Finding:
    name, numbers = shorten(lines[0].name, 40), [line.number for line in lines]
    if name.lower() == "noindex":
        effect = "Google ignores it since 2019; use a noindex header or meta tag instead"
    else:
        effect = "crawlers ignore it"
    return finding("unknown-field", numbers, f"'{name}' is a field that no known crawler reads", effect)


def _guess_field(field: str) -> str:
    """Return the field that a misspelt name probably means, or ""."""
    if field in _OTHERS and field not in _MEANT:
        return ""
    near = difflib.get_close_matches(field[:40], _MEANT, n=1, cutoff=_LIKENESS)
    return _MEANT[near[0]] if near else ""


def _proper(line: Line) -> str:
    return _SPELT.get(line.kind) or _proper_name(line.name.lower())


def _proper_name(field: str) -> str:
    if field in USER_AGENT:
        return "User-agent"
    if field in SITEMAP:
        return "Sitemap"
    return "Disallow" if field in DISALLOW else field.capitalize()
