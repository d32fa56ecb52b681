"""A crawler let loose on one trap after another, several at a time, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

from aipolicy.check.crawler.clause import Clause, Finding, Verdict
from aipolicy.check.crawler.names import NAME, answered_to, learned
from aipolicy.check.crawler.seen import Ending, Seen
from aipolicy.check.crawler.server import Server

Crawl = Callable[[str], Awaitable[Ending]]
"""Lets the crawler begin at a URL, and returns when it has ended."""

_NAMELESS = "Nameless"


@dataclass(frozen=True, slots=True)
class Result:
    """What a crawler did about one clause."""

    clause: Clause
    finding: Finding
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """All results, the product token the traps were made for ("": none is known), and whence it is known."""

    token: str
    token_from: str
    results: tuple[Result, ...] = field(default=())

    @property
    def counts(self) -> dict[Verdict, int]:
        verdicts = [result.finding.verdict for result in self.results]
        return {verdict: verdicts.count(verdict) for verdict in Verdict}

    @property
    def user_agents(self) -> tuple[str, ...]:
        """Those it came with, in the order of their first appearance; a few at most."""
        seen = (fetch.user_agent for result in self.results if result.seen for fetch in result.seen.fetches)
        return tuple(dict.fromkeys(seen))[:5]

    @property
    def fetched(self) -> int:
        return sum(len(result.seen.fetches) for result in self.results if result.seen)

    @property
    def shown(self) -> bool:
        """Whether it came near enough to anything to be judged by it."""
        return any(count for verdict, count in self.counts.items() if verdict is not Verdict.NOT_TESTED)


async def try_out(
    crawl: Crawl,
    clauses: Sequence[Clause],
    *,
    token: str = "",
    claims: Collection[str] = (),
    jobs: int = 4,
    tell: Callable[[Result | None], None] = lambda _result: None,
) -> Trial:
    """Let the crawler into the trap of each clause, ``jobs`` at a time, and judge it.

    Without ``token`` it is learned first, from its User-Agent and from which group it obeys. ``tell`` hears
    of each result as it comes, in any order; None: of the run in which the token was learned.
    """
    first: Seen | None = None
    if not token or NAME in clauses:
        first = await _seen(crawl, NAME, token)
        tell(None)
        if not first.fetches:
            why = "it fetched nothing"
            nothing = Finding(Verdict.NOT_TESTED, why)
            return Trial(token, "", tuple(Result(c, nothing, first if c is NAME else None) for c in clauses))
    known = learned(first, token) if first else token
    gate = asyncio.Semaphore(jobs)

    async def result_of(clause: Clause) -> Result:
        if clause is NAME and first:
            seen, judged = first, await _judged(clause, token, first)
        elif clause.names_it and not known:
            why = "its User-Agent has no name: give its product token with --token"
            return Result(clause, Finding(Verdict.NOT_TESTED, why))
        else:
            async with gate:
                seen, judged = await _tried(crawl, clause, known or _NAMELESS)
        result = Result(clause, _as_claimed(clause, judged, claims), seen)
        tell(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result_of(clause)) for clause in clauses]
    except ExceptionGroup as group_of_errors:
        raise group_of_errors.exceptions[0] from None
    results = _with_requirements([task.result() for task in tasks])
    return Trial(known, _whence(token, first), tuple(results))


async def _seen(crawl: Crawl, clause: Clause, token: str) -> Seen:
    async with Server(clause, token) as server:
        return server.seen(await crawl(server.url))


async def _tried(crawl: Crawl, clause: Clause, token: str) -> tuple[Seen, Finding]:
    async with Server(clause, token) as server:
        seen = server.seen(await crawl(server.url))
        return seen, clause.judge(server.trap, seen, token)


async def _judged(clause: Clause, token: str, seen: Seen) -> Finding:
    async with Server(clause, token) as server:
        return clause.judge(server.trap, seen, token)


def _whence(token: str, first: Seen | None) -> str:
    if token:
        return "given"
    return "it answers to it" if first and answered_to(first) else "in its User-Agent"


def _as_claimed(clause: Clause, finding: Finding, claims: Collection[str]) -> Finding:
    if finding.verdict is not Verdict.DISOBEYS or not clause.claim or clause.claim in claims:
        return finding
    return Finding(Verdict.DOES_NOT, finding.why, finding.fetch, finding.rule, finding.line)


def _with_requirements(results: Sequence[Result]) -> list[Result]:
    """A clause tells nothing where one that it builds on is not obeyed."""
    by_id = {result.clause.id: result.finding.verdict for result in results}

    def kept(result: Result) -> Result:
        required = result.clause.requires
        if by_id.get(required, Verdict.OBEYS) is Verdict.OBEYS:
            return result
        return Result(result.clause, Finding(Verdict.NOT_TESTED, f"{required} comes first"), result.seen)

    return [kept(result) for result in results]
