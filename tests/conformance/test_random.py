"""Random sites: obedient crawlers pass, and faults that no clause covers are found."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest

from aipolicy.conformance import ClauseVerdict, RandomRun, run_random_sites
from aipolicy.conformance.expected_answer import expected_answer
from aipolicy.conformance.random_site import IMAGE, random_site
from aipolicy.robotstxt.parser import RobotsTxt
from tests.conformance.crawler import TOKEN, Crawler, Decides
from tests.conformance.crawls import Make, crawl_with
from tests.conformance.engine import Engine
from tests.readers import READERS
from tests.sizes import size

NO, SHY = ClauseVerdict.DISOBEYS, ClauseVerdict.OVER_CAUTIOUS
_UNRESERVED = re.compile("%(2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")
google = [reader for reader in READERS if reader.name == "jwm-robotstxt"]  # its own C++


@dataclass(frozen=True)
class GoogleEngine:
    """Google's parser; its authors require URLs without unnecessary escapes."""

    parser: Decides

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        plain = _UNRESERVED.sub(lambda escape: chr(int(escape[1], 16)), path)
        return self.parser.allowed(robots_txt, token, plain)


@dataclass
class Forgetful:
    """An engine that obeys only in its first requests."""

    request: int = 0
    engine: Engine = field(default_factory=Engine)

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        self.request += 1
        return self.request > 40 or self.engine.allowed(robots_txt, token, path)


@dataclass(frozen=True)
class WithException:
    """An engine that obeys except for paths that match."""

    pattern: str

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        return bool(re.search(self.pattern, path)) or Engine().allowed(robots_txt, token, path)


class LoosestGroup:
    """An engine that evaluates each group separately, and allows what any allows."""

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        parts = re.split(rb"(?im)^(?=[ \t]*user-agent)", robots_txt)
        return any(Engine().allowed(part, token, path) for part in parts)


class Sloppy:
    """An engine that ends a rule at a percent sign."""

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        return Engine().allowed(re.sub(rb"%[0-9A-F]{2}[^\r\n]*", b"\0", robots_txt), token, path)


INVENTED: dict[str, Make] = {
    "stops obeying": lambda: Crawler(engine=Forgetful()),
    "fetches any image": lambda: Crawler(engine=WithException(r"\.gif$")),
    "fetches any feed": lambda: Crawler(engine=WithException(r"\.xml$")),
    "fetches what lies deep": lambda: Crawler(engine=WithException("/.*/.*/")),
    "never combines groups": lambda: Crawler(engine=LoosestGroup()),
    "reads ten rules": partial(Crawler, "ten-rules"),
    "reads four KiB": partial(Crawler, "four-kib"),
    "cuts rules at escapes": lambda: Crawler(engine=Sloppy()),
}
NAMED = {
    "five-groups": (NO, "2.3.1.5"),
    "sitemap-record": (NO, "2.2.4"),
    "empty-rule": (SHY, "2.2"),
    "comment-without-space": (NO, "2.2.3"),
    "query": (NO, "2.2.2"),
    "parsing-errors": (NO, "2.3.1.5"),
}


def tried(make: Make, sites: int, *, seed: int = 9309, token: str = TOKEN) -> RandomRun:
    async def trial() -> RandomRun:
        with ThreadPoolExecutor(12) as threads:
            return await run_random_sites(crawl_with(make, threads), sites, seed, token=token, jobs=8)

    return asyncio.run(trial())


@pytest.mark.proof
@pytest.mark.slow
@pytest.mark.parametrize("parser", google, ids=lambda parser: str(parser.name))
def test_googles_parser_agrees_on_every_site(parser: Decides) -> None:
    sites = size(full=1000, ci=24)
    trial = tried(lambda: Crawler(engine=GoogleEngine(parser)), sites)
    assert trial.disagreements == ()
    assert trial.disagreeing == {NO: 0, SHY: 0}
    assert trial.tested > sites * 0.9


@pytest.mark.slow
def test_the_tests_own_engine_agrees_on_every_site() -> None:
    assert tried(Crawler, 10).disagreements == ()


@pytest.mark.proof
@pytest.mark.slow
@pytest.mark.parametrize("fault", list(NAMED)[: size(full=len(NAMED), ci=3)])
def test_a_fault_is_found_with_its_section(fault: str) -> None:
    trial = tried(partial(Crawler, fault), size(full=40, ci=8))
    verdict, section = NAMED[fault]
    causes = [found.cause for found in trial.disagreements if found.verdict is verdict]
    assert section in {cause.section for cause in causes if cause}
    assert all(found.repeats for found in trial.disagreements)
    if verdict is SHY:
        assert trial.disagreeing[NO] == 0


@pytest.mark.proof
@pytest.mark.slow
@pytest.mark.parametrize("name", list(INVENTED)[:: size(full=1, ci=3)])
def test_a_fault_without_a_clause_is_found(name: str) -> None:
    trial = tried(INVENTED[name], size(full=40, ci=8))
    assert trial.disagreeing[NO]
    found = next(found for found in trial.disagreements if found.verdict is NO)
    answer = expected_answer(RobotsTxt.parse(found.robots_txt), TOKEN, found.path)
    assert answer.allowed is False
    assert not Engine().allowed(found.robots_txt, TOKEN, found.path)


@pytest.mark.slow
def test_the_smallest_file_is_minimal() -> None:
    found = tried(partial(Crawler, "sitemap-record"), 12).disagreements[0]
    assert found.cause
    assert found.cause.section == "2.2.4"
    lines = found.robots_txt.decode().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["Disallow", "Sitemap", "User-agent"]
    assert [link.path for link in found.links] == [found.path]


@pytest.mark.slow
def test_the_smallest_file_has_the_line_that_causes_the_error() -> None:
    port = next(reader for reader in READERS if reader.name == "gpyrobotstxt")
    trial = tried(lambda: Crawler(engine=GoogleEngine(port)), 12)
    assert trial.disagreeing[NO] == 0
    assert [found.robots_txt for found in trial.disagreements] == [b"---\n"]


@pytest.mark.slow
def test_a_crawler_that_skips_images_is_not_over_cautious() -> None:
    @dataclass
    class WithoutImages:
        def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
            return not path.endswith(".gif") and Engine().allowed(robots_txt, token, path)

    sites = [random_site(9309, number, TOKEN) for number in range(12)]
    assert any(link.kind == IMAGE for site in sites for link in site.links)
    assert tried(lambda: Crawler(engine=WithoutImages()), 12).disagreements == ()


def test_a_crawler_that_follows_no_link_is_not_tested() -> None:
    trial = tried(partial(Crawler, follows=False), 3)
    assert trial.tested == 0
    assert trial.untested_reason


def test_the_seed_determines_the_sites() -> None:
    sites = [random_site(1, number, TOKEN) for number in range(20)]
    assert sites == [random_site(1, number, TOKEN) for number in range(20)]
    assert sites != [random_site(2, number, TOKEN) for number in range(20)]


def test_other_groups_have_no_name_like_the_crawlers() -> None:
    for number in range(60):
        site = random_site(1, number, "Gorse", ("juniper-archive",))
        names = {name.lower() for group in RobotsTxt.parse(site.robots_txt).groups for name in group.tokens}
        assert "juniper" not in names
        assert not any(name.startswith("gorse") and name != "gorse" for name in names)


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ("Allow: /a/\nDisallow: /a/", "/a/x"),  # the winner of a tie is a SHOULD
        ("Allow: /folder/\nDisallow: /*.html", "/folder/b.html"),  # the longer pattern, or the longer match?
        ("Allow: /shop/%C3%A9\nDisallow: /shop/long", "/shop/%C3%A9"),
        ("Disallow: /a%2Fb", "/a/b"),  # Figure 4 can be read either way
        ("Disallow: /a/b", "/a%2Fb"),
    ],
)
def test_cases_without_one_answer_are_not_judged(rules: str, path: str) -> None:
    robots = RobotsTxt.parse(f"User-agent: *\n{rules}\n")
    answers = {expected_answer(robots, TOKEN, path).allowed}
    assert answers <= {None, True} if "%C3" in rules else answers == {None}


def test_rules_before_the_first_group_are_not_judged() -> None:
    robots = RobotsTxt.parse(f"Disallow: /loose\nUser-agent: {TOKEN}\nDisallow: /closed\n")
    assert expected_answer(robots, TOKEN, "/loose").allowed is None
    assert expected_answer(robots, TOKEN, "/closed").allowed is False
    assert expected_answer(robots, TOKEN, "/open").allowed is True
