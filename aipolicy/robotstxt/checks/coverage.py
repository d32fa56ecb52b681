"""Who is shut out: search engines by mistake, AI crawlers in name only."""

from collections.abc import Iterable, Iterator

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose, crawler_named
from aipolicy.core.patterns import Pattern, PatternTable, is_literal
from aipolicy.core.preferences import Category
from aipolicy.report.text import listed, pasted, shown
from aipolicy.robotstxt.checks.signals import signal_lines, signals_of_everyone
from aipolicy.robotstxt.coverage import is_disobedient, reach_of, whose_group
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import below_agents, own_groups
from aipolicy.robotstxt.matching import Content
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.product_tokens import successors
from aipolicy.robotstxt.reach import Reach, matches_everything

_LINES = 40  # of a fix
_WILD = 1000  # wildcards of a group that are compared with each rule for everyone
_COMPARISONS = 50_000  # of the two, for one group


def check(file: ParsedFile) -> Iterator[Finding]:
    yield from _search_engines(file)
    yield from _in_name_only(file)
    yield from _not_repeated(file)


def _search_engines(file: ParsedFile) -> Iterator[Finding]:
    engines = [crawler for crawler in CRAWLERS if crawler.purpose is Purpose.SEARCH_ENGINE]
    blocked = [c for c in engines if reach_of(file, c) is Reach.BLOCKED]
    everyone = file.index.bound(UNNAMED)
    bounds = {c.product_token: file.index.bound(whose_group(file, c.product_token)) for c in blocked}
    by_all = [token for token, bound in bounds.items() if bound is everyone]
    if by_all:
        closing = (rule for rule in everyone.content.rules if not rule.allow)
        rules = [rule.line for rule in closing if matches_everything(rule.pattern)]
        yield finding(
            "everyone-blocked",
            [*file.agent_lines("*"), *rules],
            "everyone is shut out of the whole site",
            f"search engines too: {listed(by_all)} find nothing, and the site leaves their results",
            fix=(fix := "\n".join([*(f"User-agent: {token}" for token in by_all), "Allow: /"])),
            edits=own_groups(file, by_all, fix),
        )
    for crawler in blocked:
        lines = file.agent_lines(crawler.product_token)
        if lines:
            yield finding(
                "search-engine-blocked",
                lines,
                f"{crawler.product_token} of {crawler.operator} is shut out of the whole site",
                _cost(crawler),
            )


def _cost(crawler: Crawler) -> str:
    if crawler.product_token == "Googlebot":  # noqa: S105 (no password)
        return "the site leaves Google Search; to refuse only Gemini's training, name Google-Extended"
    if crawler.product_token == "Applebot":  # noqa: S105
        return "the site leaves Siri and Spotlight; to refuse only Apple's training, name Applebot-Extended"
    return "the site leaves its search results"


def _in_name_only(file: ParsedFile) -> Iterator[Finding]:
    named = [c for c in file.known if reach_of(file, c) is not Reach.OPEN]
    control = [c for c in named if c.purpose is Purpose.CONTROL]
    disobedient = [c for c in named if is_disobedient(c)]
    for crawlers, kind, found, effect in (
        (
            control,
            "control-token",
            "no crawler fetches by that name",
            "it says what may be done with what others fetch: nothing is fetched less",
        ),
        (
            disobedient,
            "crawler-ignores-robots",
            "known not to obey robots.txt, or not always",
            "the line says no, and stops little: refuse such crawlers in the server",
        ),
    ):
        if crawlers:
            tokens = [crawler.product_token for crawler in crawlers]
            lines = [line for token in tokens for line in file.agent_lines(token)]
            yield finding(kind, lines, f"{listed(tokens)}: {found}", effect)
    for crawler in file.known:
        newer = successors(crawler)
        if newer is None:
            continue
        still_open = [c for c in newer if reach_of(file, c) is Reach.OPEN]
        shut = reach_of(file, crawler) is not Reach.OPEN and bool(still_open)
        trains = any(Category.TRAIN_AI in c.purpose.categories for c in still_open)
        open_now = f"{listed(c.product_token for c in still_open)} may fetch what it may not"
        yield finding(
            "retired-token",
            file.agent_lines(crawler.product_token),
            f"{crawler.product_token}: {shown((crawler.note or '').rstrip('.'))}",
            open_now if shut else "it does no harm",
            fix=(fix := "\n".join(f"User-agent: {c.product_token}" for c in still_open) if shut else ""),
            edits=_beside(file, crawler.product_token, fix),
            severity=Severity.WARNING if shut and trains else None,
        )


def _not_repeated(file: ParsedFile) -> Iterator[Finding]:
    everyone = file.index.bound(UNNAMED)
    closing = (rule for rule in everyone.content.rules if not rule.allow)
    everyones = [rule for rule in closing if not matches_everything(rule.pattern)]
    signals = signals_of_everyone(file)
    missing: dict[tuple[str, ...], list[str]] = {}
    unsaid: list[str] = []
    lacked: dict[Content, tuple[str, ...]] = {}
    for token in file.index.tokens:
        crawler, bound = crawler_named(token), file.index.bound(token)
        if not crawler or not crawler.purpose.categories or crawler.purpose is Purpose.CONTROL:
            continue
        if bound.reach is Reach.BLOCKED:
            continue
        if bound.content not in lacked:
            holds = _Holds(bound.content, len(everyones))
            lacked[bound.content] = tuple(str(rule) for rule in everyones if not holds(rule.pattern))
        lacking = lacked[bound.content]
        if lacking:
            missing.setdefault(lacking, []).append(crawler.product_token)
        if signals and not signal_lines(bound):
            unsaid.append(crawler.product_token)
    for lacking, tokens in missing.items():
        yield finding(
            "own-group-drops-rules",
            [line for token in tokens for line in file.agent_lines(token)],
            f"the group of {listed(tokens)} lacks {len(lacking)} Disallow of the group for everyone",
            f"a group of its own replaces the other: {_path(lacking[0])} and the like may be fetched",
            fix=(fix := "\n".join(map(pasted, lacking)) if len(lacking) <= _LINES else ""),
            edits=_below(file, tokens, fix),
        )
    if unsaid:
        yield finding(
            "signal-not-repeated",
            [line for token in unsaid for line in file.agent_lines(token)],
            f"the group of {listed(unsaid)} has no signal, and the one for everyone has",
            f"nothing is said to {listed(unsaid)}: a group of its own replaces the other",
            fix=(fix := "\n".join(dict.fromkeys(pasted(str(record)) for record in signals[:_LINES]))),
            edits=_below(file, unsaid, fix),
        )


class _Holds:
    """Tells if a group disallows all that a pattern matches, too, or says something else of just that.

    ``asked``: how many patterns that is asked of; where they are many, few wildcards are compared with them.
    """

    def __init__(self, content: Content, asked: int) -> None:
        self._patterns = {rule.pattern for rule in content.rules}
        compared = min(_WILD, _COMPARISONS // max(1, asked))
        literal: set[str] = set()
        wild: list[Pattern] = []
        for rule in content.rules:
            if rule.allow:
                continue
            if is_literal(rule.pattern):
                literal.add(rule.pattern)
            elif len(wild) < compared:
                wild.append(Pattern(rule.pattern, literally=True))
        self._prefixes = PatternTable(
            ((p, True) for p in sorted(literal, key=len, reverse=True)), literally=True
        )
        self._wild = wild

    def __call__(self, pattern: str) -> bool:
        if pattern in self._patterns:
            return True
        sample = pattern.removesuffix("$").replace("*", "\0")
        return bool(self._prefixes.first(sample)) or any(wild.covers(pattern) for wild in self._wild)


def _below(file: ParsedFile, tokens: Iterable[str], text: str) -> dict[int, str | None]:
    """Edits that put ``text`` into the first group of each of ``tokens``."""
    edits: dict[int, str | None] = {}
    for first in {file.agent_lines(token)[0] for token in tokens}:
        group = next(g for g in file.groups if any(line.number == first for line in g.agents))
        edits |= below_agents(group, text)
    return edits


def _beside(file: ParsedFile, token: str, text: str) -> dict[int, str | None]:
    """Edits that put User-agent lines below the first one of ``token``."""
    number = file.agent_lines(token)[0]
    return {number: f"{file.lines[number - 1].text}\n{text}"}


def _path(rule: str) -> str:
    return shown(rule.partition(":")[2].strip(" \t"), 60)
