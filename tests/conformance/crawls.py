"""Runs of the tests' own crawler on the fixtures, over sockets but without a process."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aipolicy.conformance import CLAIMS, CLAUSES, Clause, ClauseVerdict, ConformanceRun, run_clauses
from aipolicy.conformance.recording import Crawl, CrawlExit
from tests.conformance.crawler import TOKEN, Crawler

Make = Callable[[], Crawler]


def crawl_with(make: Make, threads: ThreadPoolExecutor) -> Crawl:
    async def crawl(url: str) -> CrawlExit:
        began = time.monotonic()
        try:
            await asyncio.get_running_loop().run_in_executor(threads, lambda: make().crawl(url))
        except Exception as error:  # as a process it would end so
            return CrawlExit(1, False, time.monotonic() - began, repr(error))
        return CrawlExit(0, False, time.monotonic() - began)

    return crawl


def try_all(
    makers: dict[str, Make], clauses: Sequence[Clause] = CLAUSES, *, token: str = TOKEN
) -> dict[str, ConformanceRun]:
    """Return the run of each crawler. They run in parallel, because some fixtures respond slowly."""

    async def trials() -> list[ConformanceRun]:
        gate = asyncio.Semaphore(6)

        async def one(make: Make) -> ConformanceRun:
            async with gate:
                return await run_clauses(
                    crawl_with(make, threads), clauses, token=token, claims=CLAIMS, jobs=8
                )

        return await asyncio.gather(*map(one, makers.values()))

    with ThreadPoolExecutor(48) as threads:
        return dict(zip(makers, asyncio.run(trials()), strict=True))


def not_obeyed(trial: ConformanceRun) -> dict[str, ClauseVerdict]:
    """Return the verdict for each clause that isn't obeyed."""
    verdicts = {result.clause.id: result.finding.verdict for result in trial.results}
    return {name: verdict for name, verdict in verdicts.items() if verdict is not ClauseVerdict.OBEYS}
