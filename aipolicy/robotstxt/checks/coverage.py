"""Checks of the crawlers that are blocked: search engines by mistake, AI crawlers without effect."""

from collections.abc import Iterable, Iterator

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose, crawler_named
from aipolicy.core.patterns import Pattern, PatternTable, is_literal
from aipolicy.core.preferences import Category
from aipolicy.report.text import listed, pasted, shorten
from aipolicy.robotstxt.checks.signals import signal_lines, signals_of_everyone
from aipolicy.robotstxt.coverage import group_token, is_disobedient, reach_of
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.fixes import below_agents, own_groups
from aipolicy.robotstxt.matching import Content
from aipolicy.robotstxt.parsed_file import UNNAMED, ParsedFile
from aipolicy.robotstxt.product_tokens import successors
from aipolicy.robotstxt.reach import Reach, matches_everything

_LINES = 40  # of a fix
_WILDCARDS = 1000  # of a group that are compared with each rule for everyone
_COMPARISONS = 50_000  # of the two, for one group


def check(file: ParsedFile) -> Iterator[Finding]:
    yield from _search_engines(file)
    yield from _without_effect(file)
    yield from _not_repeated(file)


def _search_engines(file: ParsedFile) -> Iterator[Finding]:
    engines = [crawler for crawler in CRAWLERS if crawler.purpose is Purpose.SEARCH_ENGINE]
    blocked = [c for c in engines if reach_of(file, c) is Reach.BLOCKED]
    everyone = file.index.bound(UNNAMED)
    bounds = {c.product_token: file.index.bound(group_token(file, c.product_token)) for c in blocked}
    by_all = [token for token, bound in bounds.items() if bound is everyone]
    if by_all:
        closing = (rule for rule in everyone.content.rules if not rule.allow)
        rules = [rule.line for rule in closing if matches_everything(rule.pattern)]
        yield finding(
            "everyone-blocked",
            [*file.agent_lines("*"), *rules],
            "Disallow: / blocks every crawler from the whole site",
            f"it blocks search engines too: {listed(by_all)} will drop the site from their results",
            fix=(fix := "\n".join([*(f"User-agent: {token}" for token in by_all), "Allow: /"])),
            edits=own_groups(file, by_all, fix),
        )
    for crawler in blocked:
        lines = file.agent_lines(crawler.product_token)
        if lines:
            yield finding(
                "search-engine-blocked",
                lines,
                f"{crawler.product_token} of {crawler.operator} is blocked from the whole site",
                _cost(crawler),
            )


def _cost(crawler: Crawler) -> str:
    if crawler.product_token == "Googlebot":  # noqa: S105 (no password)
        return (
            "the site disappears from Google Search; to refuse only Gemini's training, name "
            "Google-Extended instead"
        )
    if crawler.product_token == "Applebot":  # noqa: S105
        return (
            "the site disappears from Siri and Spotlight; "
            "to refuse only Apple's training, name Applebot-Extended"
        )
    return "the site disappears from its search results"


def _without_effect(file: ParsedFile) -> Iterator[Finding]:
    named = [c for c in file.known if reach_of(file, c) is not Reach.OPEN]
    control = [c for c in named if c.purpose is Purpose.CONTROL]
    disobedient = [c for c in named if is_disobedient(c)]
    for crawlers, kind, problem, effect in (
        (
            control,
            "control-token",
            "no crawler fetches pages under that name",
            "it controls how pages may be used, not which are fetched: other crawlers still fetch them",
        ),
        (
            disobedient,
            "crawler-ignores-robots",
            "known not to obey robots.txt, or not always",
            "the rule alone won't stop the crawler; also refuse it in your server",
        ),
    ):
        if crawlers:
            tokens = [crawler.product_token for crawler in crawlers]
            lines = [line for token in tokens for line in file.agent_lines(token)]
            yield finding(kind, lines, f"{listed(tokens)}: {problem}", effect)
    for crawler in file.known:
        newer = successors(crawler)
        if newer is None:
            continue
        still_open = [c for c in newer if reach_of(file, c) is Reach.OPEN]
        is_bypassed = reach_of(file, crawler) is not Reach.OPEN and bool(still_open)
        trains = any(Category.TRAIN_AI in c.purpose.categories for c in still_open)
        names = listed(c.product_token for c in still_open)
        open_now = f"it is replaced by {names}, which may still fetch; add a line for each"
        yield finding(
            "retired-token",
            file.agent_lines(crawler.product_token),
            f"{crawler.product_token}: {shorten((crawler.note or '').rstrip('.'))}",
            open_now if is_bypassed else "the old name does no harm",
            fix=(
                fix := "\n".join(f"User-agent: {c.product_token}" for c in still_open) if is_bypassed else ""
            ),
            edits=_add_agents(file, crawler.product_token, fix),
            severity=Severity.WARNING if is_bypassed and trains else None,
        )


def _not_repeated(file: ParsedFile) -> Iterator[Finding]:
    everyone = file.index.bound(UNNAMED)
    closing = (rule for rule in everyone.content.rules if not rule.allow)
    required = [rule for rule in closing if not matches_everything(rule.pattern)]
    signals = signals_of_everyone(file)
    missing: dict[tuple[str, ...], list[str]] = {}
    without_signals: list[str] = []
    missing_rules: dict[Content, tuple[str, ...]] = {}
    for token in file.index.tokens:
        crawler, bound = crawler_named(token), file.index.bound(token)
        if not crawler or not crawler.purpose.categories or crawler.purpose is Purpose.CONTROL:
            continue
        if bound.reach is Reach.BLOCKED:
            continue
        if bound.content not in missing_rules:
            covers = _Covers(bound.content, len(required))
            missing_rules[bound.content] = tuple(str(rule) for rule in required if not covers(rule.pattern))
        lacking = missing_rules[bound.content]
        if lacking:
            missing.setdefault(lacking, []).append(crawler.product_token)
        if signals and not signal_lines(bound):
            without_signals.append(crawler.product_token)
    for lacking, tokens in missing.items():
        yield finding(
            "own-group-drops-rules",
            [line for token in tokens for line in file.agent_lines(token)],
            f"the group of {listed(tokens)} doesn't repeat {len(lacking)} Disallow of the group for everyone",
            f"a crawler's own group replaces the one for everyone, so it may fetch {_path(lacking[0])}; "
            "repeat the rules",
            fix=(fix := "\n".join(map(pasted, lacking)) if len(lacking) <= _LINES else ""),
            edits=_add_to_groups(file, tokens, fix),
        )
    if without_signals:
        yield finding(
            "signal-not-repeated",
            [line for token in without_signals for line in file.agent_lines(token)],
            f"the group of {listed(without_signals)} has no Content-Signal or Content-Usage line, but "
            "the group for everyone has",
            "a crawler's own group replaces the one for everyone, so no signal applies to it; "
            "repeat the lines",
            fix=(fix := "\n".join(dict.fromkeys(pasted(str(record)) for record in signals[:_LINES]))),
            edits=_add_to_groups(file, without_signals, fix),
        )


class _Covers:
    """A test that a group disallows everything that a pattern matches, or has a rule for it.

    ``asked``: The number of patterns to test; if there are many, few wildcards are compared with each.
    """

    def __init__(self, content: Content, asked: int) -> None:
        self._patterns = {rule.pattern for rule in content.rules}
        compared = min(_WILDCARDS, _COMPARISONS // max(1, asked))
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


def _add_to_groups(file: ParsedFile, tokens: Iterable[str], text: str) -> dict[int, str | None]:
    """Return edits that put ``text`` into the first group of each of ``tokens``."""
    edits: dict[int, str | None] = {}
    for first in {file.agent_lines(token)[0] for token in tokens}:
        group = next(g for g in file.groups if any(line.number == first for line in g.agents))
        edits |= below_agents(group, text)
    return edits


def _add_agents(file: ParsedFile, token: str, text: str) -> dict[int, str | None]:
    """Return edits that put User-agent lines below the first one of ``token``."""
    number = file.agent_lines(token)[0]
    return {number: f"{file.lines[number - 1].text}\n{text}"}


def _path(rule: str) -> str:
    return shorten(rule.partition(":")[2].strip(" \t"), 60)
