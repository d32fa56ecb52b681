"""The coverage of a robots.txt: the crawlers that it blocks, blocks in part, or leaves open."""

from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose, crawler_named
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.product_tokens import STAND_INS
from aipolicy.robotstxt.reach import Reach


@dataclass(frozen=True, slots=True)
class Coverage:
    """Product tokens by purpose and reach; ``disobedient``: blocked ones that don't always obey."""

    tokens: dict[Purpose, dict[Reach, tuple[str, ...]]]
    disobedient: tuple[str, ...]

    def count(self, reach: Reach) -> int:
        """Return the number of AI crawlers with that reach."""
        return sum(len(by[reach]) for purpose, by in self.tokens.items() if purpose.categories)


def coverage(file: ParsedFile) -> Coverage:
    """Return the reach of the file for every crawler of the table, by RFC 9309."""
    reaches = {crawler: reach_of(file, crawler) for crawler in CRAWLERS}
    tokens = {
        purpose: {
            reach: tuple(c.product_token for c, r in reaches.items() if c.purpose is purpose and r is reach)
            for reach in Reach
        }
        for purpose in Purpose
    }
    blocked = [crawler for crawler, reach in reaches.items() if reach is not Reach.OPEN]
    return Coverage(tokens, tuple(c.product_token for c in blocked if is_disobedient(c)))


def reach_of(file: ParsedFile, crawler: Crawler) -> Reach:
    """Return the part of the site that is closed to the crawler."""
    return binding(file, crawler.product_token).reach


def group_token(file: ParsedFile, token: str) -> str:
    """Return ``token`` or, if the crawler has no group of its own, the token whose group it uses."""
    other = STAND_INS.get(token.lower(), "")
    uses_other = other and not file.index.bound(token).is_named and file.index.bound(other).is_named
    return other if uses_other else token


def binding(file: ParsedFile, token: str) -> Binding:
    """Return the binding of the crawler ``token``, by RFC 9309 and by its operator's documentation."""
    bound = file.index.bound(group_token(file, token))
    if not bound.is_named and heeds_only_its_name(token):
        return Binding("", (), Content(()))
    return bound


def heeds_only_its_name(token: str) -> bool:
    """Return True if the crawler ``token`` ignores the group for ``*``, as its operator documents."""
    crawler = crawler_named(token)
    return crawler is not None and crawler.own_group_only


def is_disobedient(crawler: Crawler) -> bool:
    """Return True if the crawler is known not to obey robots.txt, or not always."""
    return crawler.obeys_robots_txt in ("no", "partly") or crawler.reported_to_ignore
