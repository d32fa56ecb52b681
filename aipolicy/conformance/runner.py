"""A crawler let loose on one trap after another, several at a time, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from aipolicy.conformance.catalogue import with_required
from aipolicy.conformance.clause import Clause, Finding, Verdict
from aipolicy.conformance.fixture import BEGINNING, START, Trap
from aipolicy.conformance.product_tokens import NAME, answered_to, learned, name_for_pages
from aipolicy.conformance.recording import Ending, Seen
from aipolicy.conformance.server import Server
from aipolicy.conformance.verdicts import followed_a_link

Crawl = Callable[[str], Awaitable[Ending]]
"""Lets the crawler begin at a URL, and returns when it has ended."""

_NAMELESS = "Nameless"


@dataclass(frozen=True, slots=True)
class Result:
    """What a crawler did about one clause, in which trap."""

    clause: Clause
    finding: Finding
    seen: Seen | None = None
    trap: Trap | None = None

    @property
    def robots_txt(self) -> bytes:
        """As it is in force at the start, or as it was answered."""
        answered = self.seen.robots() if self.seen else ()
        in_force = self.trap.rules.get(START) if self.trap else b""
        return in_force or (answered[0].answer.body if answered else b"")


@dataclass(frozen=True, slots=True)
class Trial:
    """All results, the product token the traps were made for ("": none is known), and whence it is known.

    ``followed_links``: whether it fetched a page anywhere that only a link leads to.
    """

    token: str
    token_from: str
    results: tuple[Result, ...] = field(default=())
    followed_links: bool = False

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
        """Whether it came near enough to anything to be judged by it, and to all if it followed no link."""
        untested = self.counts[Verdict.NOT_TESTED]
        return untested < len(self.results) and (self.followed_links or not untested)


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

    A first run tells that it fetches pages at all: to leave them would prove nothing else. Without ``token``
    that is learned there, from its User-Agent and from which group it obeys. ``tell`` hears of each result as
    it comes, in any order; None: of the first run.
    """
    first, first_trap = await _tried(crawl, NAME, token)
    tell(None)
    if not first.fetches:
        return _nothing(clauses, first)
    asked = token
    if not token and not answered_to(first) and (other := name_for_pages(first)):
        asked = other
        first, first_trap = await _tried(crawl, NAME, other)
        known = answered_to(first, other)
    else:
        known = learned(first, token)
    gate = asyncio.Semaphore(jobs)

    wanted = set(clauses)
    clauses = with_required(clauses)

    async def result_of(clause: Clause) -> Result:
        if clause is NAME:
            seen, trap, named = first, first_trap, asked
        elif clause.names_it and not known:
            why = "which name it answers to is not known: give its product token with --token"
            return Result(clause, Finding(Verdict.NOT_TESTED, why))
        else:
            named = known
            async with gate:
                seen, trap = await _tried(crawl, clause, known or _NAMELESS)
        finding = clause.graded(clause.judge(trap, seen, named), claims)
        result = Result(clause, finding, seen, trap)
        if clause in wanted:
            tell(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result_of(clause)) for clause in clauses]
    except ExceptionGroup as group_of_errors:
        raise group_of_errors.exceptions[0] from None
    results = _with_requirements([task.result() for task in tasks])
    results = [result for result in results if result.clause in wanted]
    runs = [(first_trap, first), *((each.trap, each.seen) for each in results if each.trap and each.seen)]
    followed_links = any(followed_a_link(trap, seen) for trap, seen in runs)
    if not any(seen.pages for _, seen in runs):
        why = "it read /robots.txt, and fetches no page anywhere"
        results = [replace(each, finding=Finding(Verdict.NOT_TESTED, why)) for each in results]
    elif not followed_links:
        results = [_without_links(each) for each in results]
    return Trial(known, _whence(known, token, answered_to(first, asked)), tuple(results), followed_links)


def _nothing(clauses: Sequence[Clause], seen: Seen) -> Trial:
    finding = Finding(Verdict.NOT_TESTED, "it fetched nothing")
    return Trial("", "", tuple(Result(clause, finding, seen) for clause in clauses))


async def _tried(crawl: Crawl, clause: Clause, token: str) -> tuple[Seen, Trap]:
    async with Server(clause, token) as server:
        return server.seen(await crawl(server.url)), server.trap


def _whence(known: str, given: str, answered: str) -> str:
    if given:
        return "given"
    if answered:
        return "it answers to it"
    return "in its User-Agent" if known else ""


def _without_links(result: Result) -> Result:
    """Return the result of a crawler that follows no link.

    It leaves pages for that reason, but for the one that it was given. And who fetches the page that its user
    named and never looks at /robots.txt is no crawler there: RFC 9309 speaks of automatic clients.
    """
    seen, finding = result.seen, result.finding
    given = seen and seen.of(BEGINNING)
    if finding.verdict is Verdict.OVER_CAUTIOUS and given:
        return replace(result, finding=Finding(Verdict.NOT_TESTED, "it followed no link, here or anywhere"))
    if finding.fetch and finding.fetch.key == BEGINNING.key and seen and not seen.robots():
        return replace(
            result, finding=Finding(Verdict.NOT_TESTED, "one page that its user named is no crawl")
        )
    return result


def _with_requirements(results: Sequence[Result]) -> list[Result]:
    """A clause tells nothing where one that it builds on is not obeyed."""
    by_id = {result.clause.id: result.finding.verdict for result in results}

    def kept(result: Result) -> Result:
        required = result.clause.requires
        if by_id.get(required, Verdict.OBEYS) is Verdict.OBEYS:
            return result
        return replace(result, finding=Finding(Verdict.NOT_TESTED, f"{required} comes first"))

    return [kept(result) for result in results]
