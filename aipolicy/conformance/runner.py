"""The run of a crawler on the fixtures of all clauses, several at a time."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from aipolicy.conformance.clause import Clause, ClauseFinding, ClauseVerdict
from aipolicy.conformance.clauses import with_required
from aipolicy.conformance.clauses.product_token import (
    OWN_NAME,
    learned_token,
    obeyed_token,
    token_of_pages,
)
from aipolicy.conformance.fixture import START, START_PAGE, Fixture
from aipolicy.conformance.recording import Crawl, Recording
from aipolicy.conformance.server import Server
from aipolicy.conformance.verdicts import follows_links, not_tested

_UNKNOWN_TOKEN = "Nameless"  # noqa: S105 (a product token)


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """The finding for one clause, with the fixture and the recording."""

    clause: Clause
    finding: ClauseFinding
    recording: Recording | None = None
    fixture: Fixture | None = None

    @property
    def robots_txt(self) -> bytes:
        """The robots.txt in force at the start, or as it was served."""
        served = self.recording.robots() if self.recording else ()
        in_force = self.fixture.rules.get(START) if self.fixture else b""
        return in_force or (served[0].answer.body if served else b"")


@dataclass(frozen=True, slots=True)
class ConformanceRun:
    """The results of all clauses.

    Attributes:
        token: The crawler's product token; "" if it is not known.
        token_from: The source of the token.
        results: The results.
        followed_links: True if the crawler fetched any page other than a start page.
    """

    token: str
    token_from: str
    results: tuple[ClauseResult, ...] = field(default=())
    followed_links: bool = False

    @property
    def counts(self) -> dict[ClauseVerdict, int]:
        """The number of clauses with each verdict."""
        verdicts = [result.finding.verdict for result in self.results]
        return {verdict: verdicts.count(verdict) for verdict in ClauseVerdict}

    @property
    def user_agents(self) -> tuple[str, ...]:
        """The first five User-Agents of the crawler."""
        recordings = (result.recording for result in self.results if result.recording)
        return tuple(dict.fromkeys(fetch.user_agent for each in recordings for fetch in each.fetches))[:5]

    @property
    def fetched(self) -> int:
        """The number of requests."""
        return sum(len(result.recording.fetches) for result in self.results if result.recording)

    @property
    def conclusive(self) -> bool:
        """True if any clause was tested, and every clause if the crawler followed no link."""
        untested = self.counts[ClauseVerdict.NOT_TESTED]
        return untested < len(self.results) and (self.followed_links or not untested)


async def run_clauses(
    crawl: Crawl,
    clauses: Sequence[Clause],
    *,
    token: str = "",
    claims: Collection[str] = (),
    jobs: int = 4,
    on_result: Callable[[ClauseResult | None], None] = lambda _result: None,
) -> ConformanceRun:
    """Run the crawler once for each clause, and judge it.

    A first run checks that it fetches pages at all, since a crawler that fetches nothing obeys nothing.

    Args:
        crawl: Runs the crawler.
        clauses: The clauses to test.
        token: The crawler's product token; by default it is learned in the first run.
        claims: Optional features that the crawler claims to have.
        jobs: Maximum number of crawls at a time.
        on_result: Called with each result, in any order, and with None after the first run.
    """
    first, first_fixture = await _crawl(crawl, OWN_NAME, token)
    on_result(None)
    if not first.fetches:
        return _no_fetches(clauses, first)
    tried = token
    if not token and not obeyed_token(first) and (other := token_of_pages(first)):
        tried = other
        first, first_fixture = await _crawl(crawl, OWN_NAME, other)
        known = obeyed_token(first, other)
    else:
        known = learned_token(first, token)
    gate = asyncio.Semaphore(jobs)

    wanted = set(clauses)
    clauses = with_required(clauses)

    async def result_of(clause: Clause) -> ClauseResult:
        if clause is OWN_NAME:
            recording, fixture, named = first, first_fixture, tried
        elif clause.needs_token and not known:
            return ClauseResult(clause, not_tested("its product token is not known: use --token"))
        else:
            named = known
            async with gate:
                recording, fixture = await _crawl(crawl, clause, known or _UNKNOWN_TOKEN)
        finding = clause.grade(clause.judge(fixture, recording, named), claims)
        result = ClauseResult(clause, finding, recording, fixture)
        if clause in wanted:
            on_result(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(result_of(clause)) for clause in clauses]
    except ExceptionGroup as group_of_errors:
        raise group_of_errors.exceptions[0] from None
    results = _with_requirements([task.result() for task in tasks])
    results = [result for result in results if result.clause in wanted]
    runs = [(first_fixture, first)]
    runs += [(each.fixture, each.recording) for each in results if each.fixture and each.recording]
    followed_links = any(follows_links(fixture, recording) for fixture, recording in runs)
    if not any(recording.pages for _, recording in runs):
        finding = not_tested("it read /robots.txt, and never fetched a page")
        results = [replace(each, finding=finding) for each in results]
    elif not followed_links:
        results = [_without_links(each) for each in results]
    token_from = _token_source(known, token, obeyed_token(first, tried))
    return ConformanceRun(known, token_from, tuple(results), followed_links)


def _no_fetches(clauses: Sequence[Clause], recording: Recording) -> ConformanceRun:
    finding = not_tested("it fetched nothing")
    return ConformanceRun("", "", tuple(ClauseResult(clause, finding, recording) for clause in clauses))


async def _crawl(crawl: Crawl, clause: Clause, token: str) -> tuple[Recording, Fixture]:
    async with Server(clause, token) as server:
        return server.recording(await crawl(server.url)), server.fixture


def _token_source(known: str, option: str, obeyed: str) -> str:
    if option:
        return "--token"
    if obeyed:
        return "the group that it obeys"
    return "its User-Agent" if known else ""


def _without_links(result: ClauseResult) -> ClauseResult:
    """Return the result of a crawler that follows no link.

    It skips pages for that reason, except the one that it was started with. A client that fetches only that
    page, without /robots.txt, is not a crawler: RFC 9309 is about automatic clients.
    """
    recording, finding = result.recording, result.finding
    started = recording and recording.fetch_of(START_PAGE)
    if finding.verdict is ClauseVerdict.OVER_CAUTIOUS and started:
        return replace(result, finding=not_tested("it followed no link, here or anywhere"))
    if finding.fetch and finding.fetch.key == START_PAGE.key and recording and not recording.robots():
        reason = "it only fetched the page it was started with, which is not a crawl"
        return replace(result, finding=not_tested(reason))
    return result


def _with_requirements(results: Sequence[ClauseResult]) -> list[ClauseResult]:
    """Mark results as not tested if a clause that they require is not obeyed."""
    by_id = {result.clause.id: result.finding.verdict for result in results}

    def checked(result: ClauseResult) -> ClauseResult:
        required = result.clause.requires
        if by_id.get(required, ClauseVerdict.OBEYS) is ClauseVerdict.OBEYS:
            return result
        return replace(result, finding=not_tested(f"it requires the clause {required}, which is not obeyed"))

    return [checked(result) for result in results]
