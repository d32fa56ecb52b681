"""Check that other parsers give the answers of RFC 9309 for the crawlers of the table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aipolicy.core.crawlers import CRAWLERS, Purpose, crawler_named
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import RobotsTooLargeError
from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.coverage import group_token
from aipolicy.robotstxt.dialects import DIALECTS, Dialect, DialectFile
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import own_groups
from aipolicy.robotstxt.matching import Content, RuleSet
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import Group, RobotsTxt, Rule, truncated
from aipolicy.robotstxt.portable import portable, portable_group
from aipolicy.robotstxt.sample_paths import sample_paths

_WORK = 400_000  # rules tried on paths: longer files are tried on fewer paths
_ALL_WORK = 10_000_000  # for all crawlers, by one dialect
_LINES = 40  # of a fix
_REWRITTEN = 3000  # lines: longer files are not tried in another spelling


@dataclass(frozen=True, slots=True)
class _Deviation:
    token: str
    path: str
    allowed: bool  # by RFC 9309
    line: int
    dialect_line: int


def check(file: ParsedFile) -> Iterator[Finding]:
    if not file.groups:
        return
    rewritten: bytes | None = None
    for dialect in DIALECTS:
        found = list(_differences(file, dialect.read(file.body)))
        for allowed in (False, True):
            some = [deviation for deviation in found if deviation.allowed is allowed]
            if some:
                if rewritten is None:
                    rewritten = _portable(file) if len(file.lines) <= _REWRITTEN else b""
                yield _finding(file, dialect, some, rewritten)


def _differences(file: ParsedFile, dialect_file: DialectFile) -> Iterator[_Deviation]:
    """Yield one difference for each crawler and answer."""
    alike: dict[tuple[str, RuleSet], list[str]] = {}
    for crawler in CRAWLERS:
        token = crawler.product_token
        if group_token(file, token) != token:
            continue  # its operator documents another choice of the group
        alike.setdefault((file.index.bound(token).name, dialect_file.bound(token)), []).append(token)
    paths: dict[str, tuple[str, ...]] = {}
    work = min(_WORK, _ALL_WORK // max(1, len(alike)))
    for (name, dialect_rules), tokens in alike.items():
        bound = file.index.bound(tokens[0])
        if name not in paths:
            parts = [part.rules for part in bound.content.parts]
            paths[name] = sample_paths(parts, max(4, min(80, work // _effort(bound.content))))
        yielded = set()
        for path in paths[name]:
            standard, other = bound.rules.decide(path), dialect_rules.decide(path)
            if standard.allowed is not other.allowed and standard.allowed not in yielded:
                yielded.add(standard.allowed)
                for token in tokens:
                    yield _Deviation(token, path, standard.allowed, standard.line, other.line)


def _effort(content: Content) -> int:
    """Return the cost of trying one path, in rules: wildcards cost by their length."""
    return 1 + content.size + content.wildcard_size // 5


def _finding(file: ParsedFile, dialect: Dialect, some: list[_Deviation], rewritten: bytes) -> Finding:
    named = {crawler.product_token for crawler in file.known}
    some = sorted(some, key=lambda deviation: deviation.token not in named)
    tokens = [deviation.token for deviation in some]
    first = some[0]
    line = f" (line {first.dialect_line})" if first.dialect_line else ""
    if first.allowed:
        effect = f"by {dialect.used_by} it may not be fetched{line}"
        matters = any(_is_search_engine(token) for token in tokens)
    else:
        effect = f"by {dialect.used_by} it may be fetched{line}"
        # Another finding reports a name that it cuts off.
        matters = any(truncated(token) == token for token in tokens)
    fix, hint = _fix(file, dialect, some, rewritten)
    written = [token for group in RobotsTxt.parse(fix).groups for token in group.tokens]
    return finding(
        "read-differently",
        [number for deviation in some for number in (deviation.line, deviation.dialect_line)][:20],
        f"{dialect.id}: {listed(tokens)}, for example at {shorten(first.path, 60)}:"
        f" by RFC 9309 it may{'' if first.allowed else ' not'} be fetched",
        f"{effect}; {hint}",
        fix=fix,
        edits=own_groups(file, written, fix),
        severity=None if matters and dialect.id != "urllib-old" else Severity.NOTE,
    )


def _is_search_engine(token: str) -> bool:
    crawler = crawler_named(token)
    return crawler is not None and crawler.purpose is Purpose.SEARCH_ENGINE


def _portable(file: ParsedFile) -> bytes:
    """Return the same groups in a spelling that older parsers understand too; b"" if they are too long."""
    try:
        robots = portable(RobotsTxt(file.index.groups), MAX_ROBOTS_BYTES)
    except RobotsTooLargeError:
        return b""
    groups = tuple(replace(group, leading=()) for group in robots.groups)
    return str(RobotsTxt(groups)).encode("utf-8", "surrogateescape")


def _fix(file: ParsedFile, dialect: Dialect, some: list[_Deviation], rewritten: bytes) -> tuple[str, str]:
    """Return lines that make the dialect agree with RFC 9309, if a trial found some, and an instruction."""
    if not rewritten:
        return "", "no fix could be tried"
    tokens = list(dict.fromkeys(deviation.token for deviation in some))
    if _agrees(dialect, rewritten, some):
        names = {file.index.bound(token).name for token in tokens}
        groups = [g for g in RobotsTxt.parse(rewritten).groups if names & set(map(str.lower, g.tokens))]
        text = "\n\n".join("\n".join(_lines(group)) for group in groups)
        return _short(text), "all parsers read the groups alike if you write them like this"
    content = file.index.bound(tokens[0]).content
    own = _lines(portable_group(Group(tuple(tokens), tuple(content.records))))
    own += [] if content.has_rules else ["Allow: /"]
    added = "\n".join(own).encode() + b"\n\n" + rewritten
    if len({file.index.bound(token).name for token in tokens}) == 1 and _agrees(dialect, added, some):
        return _short("\n".join(own)), "a separate group above the others fixes it"
    return "", "no spelling is known that all parsers read alike"


def _lines(group: Group) -> list[str]:
    """Return the lines of a group without comments."""
    records = [record for record in group.records if isinstance(record, Rule) or record.name]
    plain = Group(group.tokens, tuple(replace(record, comment="") for record in records))
    return list(map(pasted, plain.lines()))


def _agrees(dialect: Dialect, body: bytes, some: list[_Deviation]) -> bool:
    dialect_file = dialect.read(body)
    return all(dialect_file.bound(d.token).decide(d.path).allowed is d.allowed for d in some)


def _short(text: str) -> str:
    """Return ``text``, or "" if it is too long to paste by hand."""
    return text if text.count("\n") < _LINES else ""
