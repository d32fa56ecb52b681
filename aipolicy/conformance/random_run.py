"""A crawler on sites made at random: what it fetches is compared with what RFC 9309 says of each request.

Disobedience is a request for a linked path that every reading of RFC 9309 forbids. Over-caution is a link
that every reading allows, on a page that was fetched, which the crawler leaves twice and fetches where no
rule stands: that is tried before it is said. To fetch the first page is no disobedience, since the crawler's
user named it; nor is anything that no page links to, like a sitemap that robots.txt names.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aipolicy.conformance.clause import Verdict
from aipolicy.conformance.expected_answer import ruling
from aipolicy.conformance.fixture import START
from aipolicy.conformance.minimize import Cause, cause_of, shrunk
from aipolicy.conformance.product_tokens import candidates
from aipolicy.conformance.random_site import (
    Link,
    RandomSite,
    clause_of,
    open_site,
    random_site,
    without_rules,
)
from aipolicy.conformance.recording import Ending, Fetch, Seen
from aipolicy.conformance.server import Server
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_Result = TypeVar("_Result")
Crawl = Callable[[str], Awaitable[Ending]]
"""Lets the crawler begin at a URL, and returns when it has ended."""

_BATCH, _MOST_BATCHES = 8, 4


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A request that is forbidden, or a link that was left although it may be fetched.

    ``smallest``: the smallest site that shows it, if the crawler did the same again (``repeats``); else the
    site as it was. ``fetch`` is None for over-caution.
    """

    number: int
    verdict: Verdict
    path: str
    site: RandomSite
    fetch: Fetch | None = None
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
        rule = ruling(RobotsTxt.parse(self.robots_txt), token, self.path).rule
        return (rule.line, lines_of(self.robots_txt)[rule.line - 1].strip(" \t")) if rule else (0, "")


@dataclass(frozen=True, slots=True)
class RandomTrial:
    """The result of all sites.

    ``tested``: sites on which at least one link was judged and the crawl ended by itself; ``unfinished``:
    sites on which it was stopped. ``disagreeing``: sites by verdict. ``disagreements``: one for each cause
    that was found.
    """

    sites: int
    seed: int
    tested: int = 0
    unfinished: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    disagreeing: dict[Verdict, int] = field(default_factory=dict)
    why_untested: str = ""


async def try_at_random(
    crawl: Crawl,
    sites: int,
    seed: int,
    *,
    token: str = "",
    jobs: int = 4,
    tell: Callable[[], None] = lambda: None,
) -> RandomTrial:
    """Let the crawler into sites made at random, and make small what it disagrees about.

    Args:
        crawl: runs the crawler.
        sites: how many.
        seed: the same seed makes the same sites for the same product token.
        token: the crawler's product token; "" if it is unknown, so that only groups for everyone bind it.
        jobs: crawls at a time.
        tell: is called after each site.
    """
    runner = _Runner(crawl, token, asyncio.Semaphore(jobs))
    start = await runner.crawled(open_site())
    linked = {(START, normalise(link.path)) for link in open_site().links}
    if not linked & {fetch.key for fetch in start.fetches}:
        return RandomTrial(sites, seed, why_untested="it followed no link on a site without rules")
    names = {name for fetch in start.fetches for name in candidates(fetch.user_agent)}

    async def one(number: int) -> _Outcome:
        outcome = await runner.tried(number, random_site(seed, number, token, names))
        tell()
        return outcome

    outcomes = await _gathered(one(number) for number in range(sites))
    found = [each for outcome in outcomes for each in outcome.disagreements]
    small = [
        each
        for verdict in _SHOWN
        for each in await runner.all_made_small([each for each in found if each.verdict is verdict])
    ]
    return RandomTrial(
        sites,
        seed,
        sum(outcome.judged > 0 and not outcome.unfinished for outcome in outcomes),
        sum(outcome.unfinished for outcome in outcomes),
        tuple(_one_a_cause(small)),
        {verdict: sum(each.verdict is verdict for each in found) for verdict in _SHOWN},
    )


_SHOWN = (Verdict.DISOBEYS, Verdict.OVER_CAUTIOUS)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one site: how many links were judged, and the first disagreement of each verdict."""

    judged: int
    unfinished: bool
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class _Runner:
    crawl: Crawl
    token: str
    gate: asyncio.Semaphore

    async def crawled(self, site: RandomSite) -> Seen:
        async with self.gate, Server(clause_of(site), self.token) as server:
            return server.seen(await self.crawl(server.url))

    async def tried(self, number: int, site: RandomSite) -> _Outcome:
        seen = await self.crawled(site)
        robots = RobotsTxt.parse(site.robots_txt)
        found = []
        forbidden = next(self._forbidden(site, robots, seen), None)
        if forbidden is not None:
            path = next(link.path for link in site.links if _key(link.path) == forbidden.key)
            found.append(Disagreement(number, Verdict.DISOBEYS, path, site, forbidden))
        if (left := self._left(site, robots, seen)) and (path := await self._left_for_a_rule(site, left)):
            found.append(Disagreement(number, Verdict.OVER_CAUTIOUS, path, site))
        read = _read(seen)
        met = [link for link in site.links if link.on == "/" or _key(link.on) in read]
        judged = [link for link in met if ruling(robots, self.token, link.path).allowed is not None]
        return _Outcome(len(judged), _cut_short(seen), tuple(found))

    def _forbidden(self, site: RandomSite, robots: RobotsTxt, seen: Seen) -> Iterator[Fetch]:
        linked = {_key(link.path) for link in site.links}
        for fetch in seen.pages:
            if fetch.key in linked and ruling(robots, self.token, fetch.target).allowed is False:
                yield fetch

    def _left(self, site: RandomSite, robots: RobotsTxt, seen: Seen) -> list[str]:
        """Return paths that may be fetched, were met, and weren't asked for; none of an unfinished crawl."""
        if _cut_short(seen):
            return []
        fetched, read = {fetch.key for fetch in seen.fetches}, _read(seen)
        met = ["/", *(link.path for link in site.links if _key(link.on) in read)]
        left = (path for path in met if _key(path) not in fetched)
        return [path for path in left if ruling(robots, self.token, path).allowed]

    async def _left_for_a_rule(self, site: RandomSite, left: Sequence[str]) -> str:
        """Return the first of these that is left once more, and fetched where no rule stands."""
        again = self._left(site, RobotsTxt.parse(site.robots_txt), await self.crawled(site))
        fetched = (
            {fetch.key for fetch in (await self.crawled(without_rules(site))).fetches} if again else set()
        )
        return next((path for path in left if path in again and _key(path) in fetched), "")

    async def all_made_small(self, found: Sequence[Disagreement]) -> list[Disagreement]:
        """Make disagreements small, one batch after another until one brings no new cause."""
        small: list[Disagreement] = []
        for begin in range(0, min(len(found), _BATCH * _MOST_BATCHES), _BATCH):
            known = {each.cause for each in small}
            small += await _gathered(map(self.made_small, found[begin : begin + _BATCH]))
            if {each.cause for each in small} == known:
                break
        return small

    async def made_small(self, found: Disagreement) -> Disagreement:
        """Return the disagreement with the smallest site that shows it, and what that is about."""
        closed = found.verdict is Verdict.DISOBEYS
        if not await self._shows(found.site, found.path, closed=closed):
            return replace(found, repeats=False)
        small = await shrunk(
            found.site, found.path, self.token, lambda site, path: self._shows(site, path, closed=closed)
        )
        cause = cause_of(small.site, self.token, small.path, closed=closed)
        return replace(found, smallest=small.site, path=small.path, cause=cause, runs=small.runs)

    async def _shows(self, site: RandomSite, path: str, *, closed: bool) -> bool:
        linked = path == "/" or any(link.path == path for link in site.links)
        robots = RobotsTxt.parse(site.robots_txt)
        if not linked or ruling(robots, self.token, path).allowed is not (not closed):
            return False
        if not closed and ruling(robots, self.token, "/").allowed is not True:
            return False
        seen = await self.crawled(site)
        if closed:
            return _key(path) in {fetch.key for fetch in seen.fetches}
        return path in self._left(site, robots, seen) and bool(await self._left_for_a_rule(site, [path]))


def _key(path: str) -> tuple[str, str]:
    return START, normalise(path)


def _cut_short(seen: Seen) -> bool:
    return seen.ending.stopped or seen.flooded


def _read(seen: Seen) -> set[tuple[str, str]]:
    """Return the keys of what was fetched whole, not only asked for or looked at with HEAD."""
    return {fetch.key for fetch in seen.fetches if fetch.method == "GET" and fetch.done < math.inf}


def _one_a_cause(found: Sequence[Disagreement]) -> Iterator[Disagreement]:
    """Keep the one with the smallest file of those with the same cause."""
    smallest: dict[object, Disagreement] = {}
    for each in found:
        cause = (each.verdict, each.cause) if each.cause else each.number
        if cause not in smallest or len(each.robots_txt) < len(smallest[cause].robots_txt):
            smallest[cause] = each
    yield from smallest.values()


async def _gathered(work: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Return the results in their order; the first error ends all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as group_of_errors:
        raise group_of_errors.exceptions[0] from None
    return [task.result() for task in tasks]
