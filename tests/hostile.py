"""Inputs that are as expensive as possible: a small grammar of robots.txt files and site policies.

Each file has at most 500 KiB, because no more is read, and each makes the most of it in its own way: many
product tokens in many groups, one token in very many, long lists of rules, wildcards, lines of every kind,
invalid UTF-8.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, product
from random import Random
from string import ascii_lowercase, digits

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES

Paths = tuple[tuple[str, Preferences], ...]
NO = Preferences.parse("train-ai=n")
YES = Preferences.parse("train-ai=y, ai-use=y")


def filled(lines: Iterable[str], most: int = MAX_ROBOTS_BYTES - 2048) -> bytes:
    """Return as many of the lines as fit in ``most`` bytes."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > most:
            break
        kept.append(line)
    return "".join(f"{line}\n" for line in kept).encode()


def names() -> Iterator[str]:
    """Return distinct short product tokens."""
    return ("".join(letters) for size in count(2) for letters in product(ascii_lowercase, repeat=size))


def tokens_in_half_of_the_groups(tokens: Iterable[str], groups: int = 120) -> Iterator[str]:
    """Return lines that would take 50 times the space with one group for each token."""
    chance = Random(1)
    several = [(token, set(chance.sample(range(groups), groups // 2))) for token in tokens]
    numbers = count()
    for group in range(groups):
        yield from (f"User-agent:{token}" for token, among in several if group in among)
        yield from (f"Disallow:/{next(numbers):x}" for _ in range(150))


def one_large_group_and_many_small(tokens: int) -> Iterator[str]:
    """Return groups in which every token has all the rules of the first group, and one of its own."""
    some = [name for name, _ in zip(names(), range(tokens), strict=False)]
    yield from (f"User-agent:{name}" for name in some)
    yield from (f"Disallow:/{number:x}" for number in range(2 * tokens))
    for number, name in enumerate(some):
        yield f"User-agent:{name}"
        yield f"Allow:/{number:x}"


def group(rule: Callable[[int], str]) -> Iterator[str]:
    """Return one group for all crawlers."""
    yield "User-agent:*"
    yield from map(rule, count())


def short_wildcards() -> Iterator[str]:
    yield "User-agent:*"
    for one, two, three in product(ascii_lowercase + digits, repeat=3):
        yield f"Disallow:/*{one}*{two}*{three}"


def signals() -> Iterator[str]:
    for number, name in enumerate(names()):
        yield from (f"User-agent:{name}", f"Content-Usage:/{number:x} train-ai=y", "Allow:/")


def one_token_in_very_many_groups() -> Iterator[str]:
    for number in count():
        yield from ("User-agent:a", f"Disallow:/{number:x}")


def allows_and_disallows() -> Iterator[str]:
    yield "User-agent:*"
    for number in count():
        yield from (f"Disallow:/{number:x}", f"Allow:/{number:x}/*x")


def groups_without_rules() -> Iterator[str]:
    for name in names():
        yield from (f"User-agent:{name}", "Crawl-delay:1")


def files(most: int = MAX_ROBOTS_BYTES - 2048) -> dict[str, bytes]:
    """Return files of up to ``most`` bytes by their description."""
    grown = {
        "150 tokens, each in half of 120 groups": tokens_in_half_of_the_groups(
            name for name, _ in zip(names(), range(150), strict=False)
        ),
        "150 known tokens, each in half of 120 groups": tokens_in_half_of_the_groups(
            [crawler.product_token for crawler in CRAWLERS][:150]
        ),
        "6,000 tokens in one large and a small group each": one_large_group_and_many_small(most // 80),
        "one token in as many groups as fit": one_token_in_very_many_groups(),
        "groups without a rule": groups_without_rules(),
        "one group of as many rules as fit": group(lambda n: f"Disallow:/{n:x}"),
        "rules that another rule opens": allows_and_disallows(),
        "30,000 wildcards": group(lambda n: f"Disallow:/*{n:x}$"),
        "wildcards of single letters": short_wildcards(),
        "wildcards upon wildcards": group(lambda n: f"Disallow:/{'*a' * (n % 500)}*b{n}$"),
        "a signal in each group": signals(),
        "signals in one group": group(lambda n: f"Content-Usage:/{n:x} train-ai=y"),
        "signals that say nothing": group(lambda n: f"Content-Usage:a{n:x}"),
        "sitemaps": (f"Sitemap: http://a/{n}" for n in count()),
        "names of fields": (f"x{n:x}:" for n in count()),
    }
    everyone = b"User-agent: *\nDisallow: /"
    return {name: filled(lines, most) for name, lines in grown.items()} | {
        "one pattern of wildcards": everyone + b"*a" * (most // 2 - 20) + b"$\n",
        "one long line": everyone + b"a" * (most - 30) + b"\n",
        "comments": b"#\n" * (most // 2),
        "unreadable lines": b"x\n" * (most // 2),
        "NULs": b"\0" * most,
        "CR alone": b"\r" * most,
        "byte order marks": b"\xef\xbb\xbf" * (most // 3 - 10) + everyone + b"\n",
        "no UTF-8": (everyone + b"\xff\n") * (most // 27),
        "our own markers": b"# BEGIN aipolicy\n# END aipolicy\n" * (most // 34),
    }


def _refusing(patterns: Iterable[str], most: int, stated: Preferences = NO) -> Paths:
    return tuple((pattern, stated) for pattern, _ in zip(patterns, range(most), strict=False))


POLICIES: dict[str, SitePolicy] = {
    "no AI": SitePolicy.from_preset("no-ai", site="blog.example"),
    "20 paths": SitePolicy(path_preferences=_refusing((f"/{n}/" for n in count()), 20)),
    "2,000 open paths": SitePolicy.from_preset(
        "no-ai", path_preferences=_refusing((f"/{n:x}/" for n in count()), 2000, YES)
    ),
    "8,000 paths": SitePolicy(path_preferences=_refusing((f"/{n:x}/" for n in count()), 8000)),
    "8,000 wildcards": SitePolicy(path_preferences=_refusing((f"/*{n:x}*/$" for n in count()), 8000)),
    "8,000 wildcards of single letters": SitePolicy(
        path_preferences=_refusing((f"/*{a}*{b}*{c}" for a, b, c in product(ascii_lowercase, repeat=3)), 8000)
    ),
    "60,000 paths": SitePolicy(path_preferences=_refusing((f"/{n:x}/" for n in count()), 60_000)),
    "20,000 sitemaps": SitePolicy.from_preset(
        "no-ai", sitemaps=[f"https://blog.example/{n}.xml" for n in range(20_000)]
    ),
}
"""Site policies by their description; each with any of the files as the site's own robots.txt."""

PATHS: tuple[str, ...] = (
    "/",
    "/2026/10/a-post",
    "/zz/" + "abcdefghijklmnopqrstuvwxyz0123456789" * 5,
    "/" + "a" * 8000,
    "/" + "".join(f"{n:x}" for n in range(16_000)),
    "/" + "ab" * 30_000,
)
"""Paths that any client may request: up to the 64 KB that servers accept."""
