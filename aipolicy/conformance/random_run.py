"""The run of a crawler on random sites: its requests are compared with the answers of RFC 9309.

A crawler disobeys if it requests a linked path that every reading of RFC 9309 forbids. It is over-cautious if
it skips a link that every reading allows, on a page that it fetched, skips it again in a second run, and
fetches it if the site has no rules. Requests for the start page never count, because the crawler's user named
it, nor do requests without a link, such as for a sitemap in robots.txt.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aipolicy.conformance.clause import ClauseVerdict
from aipolicy.conformance.clauses.product_token import candidate_tokens
from aipolicy.conformance.expected_answer import expected_answer
from aipolicy.conformance.fixture import START
from aipolicy.conformance.minimize import Cause, cause_of, minimized
from aipolicy.conformance.random_site import (
    Link,
    RandomSite,
    clause_of,
    open_site,
    random_site,
    without_rules,
)
from aipolicy.conformance.recording import Crawl, RecordedFetch, Recording
from aipolicy.conformance.server import Server
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_Result = TypeVar("_Result")
_BATCH, _MAX_BATCHES = 8, 4  # of disagreements that are minimised


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A forbidden request, or an allowed link that was skipped.

    Attributes:
        number: The number of the site.
        verdict: DISOBEYS or OVER_CAUTIOUS.
        path: The path.
        site: The site.
        fetch: The forbidden request; None for over-caution.
        smallest: The smallest site with the same disagreement, if it could be repeated.
        cause: The kind of error.
        repeats: True if the crawler did the same in a second run.
        runs: The number of runs to find ``smallest``.
    """

    number: int
    verdict: ClauseVerdict
    path: str
    site: RandomSite
    fetch: RecordedFetch | None = None
    smallest: RandomSite | None = None
    cause: Cause | None = None
    repeats: bool = True
    runs: int = 0

    @property
    def links(self) -> tuple[Link, ...]:
        return (self.smallest or self.site).links

    @property
    def robots_txt(self) -> bytes:
        return (self.smallest or self.site).robots_txt

    def rule(self, token: str) -> tuple[int, str]:
        """Return the line number and the text of the rule that decides; 0 and "" where none does."""
        rule = expected_answer(RobotsTxt.parse(self.robots_txt), token, self.path).rule
        return (rule.line, lines_of(self.robots_txt)[rule.line - 1].strip(" \t")) if rule else (0, "")


@dataclass(frozen=True, slots=True)
class RandomRun:
    """The results of all random sites.

    Attributes:
        sites: The number of sites.
        seed: Their seed.
        tested: The number of sites where the crawl ended by itself and at least one link was judged.
        unfinished: The number of sites where the crawler was stopped.
        disagreements: One disagreement for each kind of error.
        disagreeing: The number of sites with a disagreement, by verdict.
        untested_reason: The reason if no site could be tested.
    """

    sites: int
    seed: int
    tested: int = 0
    unfinished: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    disagreeing: dict[ClauseVerdict, int] = field(default_factory=dict)
    untested_reason: str = ""


async def run_random_sites(
    crawl: Crawl,
    sites: int,
    seed: int,
    *,
    token: str = "",
    jobs: int = 4,
    on_site: Callable[[], None] = lambda: None,
) -> RandomRun:
    """Run the crawler on random sites, and minimise its disagreements.

    Args:
        crawl: Runs the crawler.
        sites: The number of sites.
        seed: The seed; the same seed makes the same sites for the same product token.
        token: The crawler's product token; "" if unknown, so that only groups for all crawlers apply.
        jobs: Maximum number of crawls at a time.
        on_site: Called after each site.
    """
    runner = _Runner(crawl, token, asyncio.Semaphore(jobs))
    start = await runner.crawl_site(open_site())
    linked = {(START, normalise(link.path)) for link in open_site().links}
    if not linked & {fetch.key for fetch in start.fetches}:
        return RandomRun(sites, seed, untested_reason="it followed no link on a site without rules")
    names = {name for fetch in start.fetches for name in candidate_tokens(fetch.user_agent)}

    async def one(number: int) -> _Outcome:
        outcome = await runner.run(number, random_site(seed, number, token, names))
        on_site()
        return outcome

    outcomes = await _gather(one(number) for number in range(sites))
    found = [each for outcome in outcomes for each in outcome.disagreements]
    minimal = [
        each
        for verdict in _REPORTED
        for each in await runner.minimize_all([each for each in found if each.verdict is verdict])
    ]
    return RandomRun(
        sites,
        seed,
        sum(outcome.judged > 0 and not outcome.unfinished for outcome in outcomes),
        sum(outcome.unfinished for outcome in outcomes),
        tuple(_one_per_cause(minimal)),
        {verdict: sum(each.verdict is verdict for each in found) for verdict in _REPORTED},
    )


_REPORTED = (ClauseVerdict.DISOBEYS, ClauseVerdict.OVER_CAUTIOUS)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one site: the number of judged links, and the first disagreement of each verdict."""

    judged: int
    unfinished: bool
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class _Runner:
    crawl: Crawl
    token: str
    gate: asyncio.Semaphore

    async def crawl_site(self, site: RandomSite) -> Recording:
        async with self.gate, Server(clause_of(site), self.token) as server:
            return server.recording(await self.crawl(server.url))

    async def run(self, number: int, site: RandomSite) -> _Outcome:
        recording = await self.crawl_site(site)
        robots = RobotsTxt.parse(site.robots_txt)
        found = []
        forbidden = next(self._forbidden(site, robots, recording), None)
        if forbidden is not None:
            path = next(link.path for link in site.links if _key(link.path) == forbidden.key)
            found.append(Disagreement(number, ClauseVerdict.DISOBEYS, path, site, forbidden))
        if (skipped := self._skipped(site, robots, recording)) and (
            path := await self._skipped_for_a_rule(site, skipped)
        ):
            found.append(Disagreement(number, ClauseVerdict.OVER_CAUTIOUS, path, site))
        read = _read(recording)
        found_links = [link for link in site.links if link.on == "/" or _key(link.on) in read]
        judged = [
            link for link in found_links if expected_answer(robots, self.token, link.path).allowed is not None
        ]
        return _Outcome(len(judged), _is_incomplete(recording), tuple(found))

    def _forbidden(
        self, site: RandomSite, robots: RobotsTxt, recording: Recording
    ) -> Iterator[RecordedFetch]:
        linked = {_key(link.path) for link in site.links}
        for fetch in recording.pages:
            if fetch.key in linked and expected_answer(robots, self.token, fetch.target).allowed is False:
                yield fetch

    def _skipped(self, site: RandomSite, robots: RobotsTxt, recording: Recording) -> list[str]:
        """Return allowed paths with a link on a fetched page that were not requested."""
        if _is_incomplete(recording):
            return []
        fetched, read = {fetch.key for fetch in recording.fetches}, _read(recording)
        found_links = ["/", *(link.path for link in site.links if _key(link.on) in read)]
        skipped = (path for path in found_links if _key(path) not in fetched)
        return [path for path in skipped if expected_answer(robots, self.token, path).allowed]

    async def _skipped_for_a_rule(self, site: RandomSite, skipped: Sequence[str]) -> str:
        """Return the first path that is skipped again, but fetched from a site without rules."""
        again = self._skipped(site, RobotsTxt.parse(site.robots_txt), await self.crawl_site(site))
        fetched = (
            {fetch.key for fetch in (await self.crawl_site(without_rules(site))).fetches} if again else set()
        )
        return next((path for path in skipped if path in again and _key(path) in fetched), "")

    async def minimize_all(self, found: Sequence[Disagreement]) -> list[Disagreement]:
        """Minimise disagreements in batches, until a batch has no new cause."""
        minimal: list[Disagreement] = []
        for begin in range(0, min(len(found), _BATCH * _MAX_BATCHES), _BATCH):
            known = {each.cause for each in minimal}
            minimal += await _gather(map(self.minimize, found[begin : begin + _BATCH]))
            if {each.cause for each in minimal} == known:
                break
        return minimal

    async def minimize(self, found: Disagreement) -> Disagreement:
        """Return the disagreement with the smallest site that shows it, and its cause."""
        closed = found.verdict is ClauseVerdict.DISOBEYS
        if not await self._disagrees(found.site, found.path, closed=closed):
            return replace(found, repeats=False)
        minimal = await minimized(
            found.site, found.path, self.token, lambda site, path: self._disagrees(site, path, closed=closed)
        )
        cause = cause_of(minimal.site, self.token, minimal.path, closed=closed)
        return replace(found, smallest=minimal.site, path=minimal.path, cause=cause, runs=minimal.runs)

    async def _disagrees(self, site: RandomSite, path: str, *, closed: bool) -> bool:
        linked = path == "/" or any(link.path == path for link in site.links)
        robots = RobotsTxt.parse(site.robots_txt)
        if not linked or expected_answer(robots, self.token, path).allowed is not (not closed):
            return False
        if not closed and expected_answer(robots, self.token, "/").allowed is not True:
            return False
        recording = await self.crawl_site(site)
        if closed:
            return _key(path) in {fetch.key for fetch in recording.fetches}
        return path in self._skipped(site, robots, recording) and bool(
            await self._skipped_for_a_rule(site, [path])
        )


def _key(path: str) -> tuple[str, str]:
    return START, normalise(path)


def _is_incomplete(recording: Recording) -> bool:
    return recording.ending.stopped or recording.flooded


def _read(recording: Recording) -> set[tuple[str, str]]:
    """Return the keys of pages that were fetched completely, not only with HEAD."""
    return {fetch.key for fetch in recording.fetches if fetch.method == "GET" and fetch.done < math.inf}


def _one_per_cause(found: Sequence[Disagreement]) -> Iterator[Disagreement]:
    """Keep the disagreement with the smallest robots.txt for each cause."""
    smallest: dict[object, Disagreement] = {}
    for each in found:
        cause = (each.verdict, each.cause) if each.cause else each.number
        if cause not in smallest or len(each.robots_txt) < len(smallest[cause].robots_txt):
            smallest[cause] = each
    yield from smallest.values()


async def _gather(work: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Return the results in order; the first error cancels all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as group_of_errors:
        raise group_of_errors.exceptions[0] from None
    return [task.result() for task in tasks]
