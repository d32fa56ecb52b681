"""Which crawlers a robots.txt shuts out: of the whole site, in part, or not."""

from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose, crawler_named
from aipolicy.robotstxt.matching import Binding, Content
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.product_tokens import STAND_INS
from aipolicy.robotstxt.reach import Reach


@dataclass(frozen=True, slots=True)
class Coverage:
    """Product tokens by purpose and reach; ``disobedient``: blocked ones known not to obey, or not always."""

    tokens: dict[Purpose, dict[Reach, tuple[str, ...]]]
    disobedient: tuple[str, ...]

    def count(self, reach: Reach) -> int:
        """How many crawlers for AI have that reach."""
        return sum(len(by[reach]) for purpose, by in self.tokens.items() if purpose.categories)


def coverage(file: ParsedFile) -> Coverage:
    """What the file does to every crawler of the table, as RFC 9309 has it."""
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
    """How much of the site the crawler is kept out of."""
    return binding(file, crawler.product_token).reach


def whose_group(file: ParsedFile, token: str) -> str:
    """``token``, or the one whose group it uses where it has none."""
    other = STAND_INS.get(token.lower(), "")
    takes_it = other and not file.index.bound(token).is_named and file.index.bound(other).is_named
    return other if takes_it else token


def binding(file: ParsedFile, token: str) -> Binding:
    """Return what binds the crawler ``token``, by RFC 9309 and by what its operator documents beyond it."""
    bound = file.index.bound(whose_group(file, token))
    if not bound.is_named and heeds_only_its_name(token):
        return Binding("", (), Content(()))
    return bound


def heeds_only_its_name(token: str) -> bool:
    """Return True if its operator says that ``*`` doesn't mean the crawler ``token``."""
    crawler = crawler_named(token)
    return crawler is not None and "own name only" in (crawler.note or "")


def is_disobedient(crawler: Crawler) -> bool:
    """Whether robots.txt is known not to stop it, or not always."""
    reported = "ignore robots.txt" in (crawler.note or "")
    return crawler.obeys_robots_txt in ("no", "partly") or reported
