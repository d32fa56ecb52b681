"""RFC 9309 and the verdicts in plain loops: slow, obvious, and without the code under test."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from aipolicy.core.crawlers import CRAWLERS

UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
REFUSALS = frozenset({401, 402, 403, 404, 406, 410, 429, 444, 451, 499, *range(500, 600)})
"""Answers without content."""
FACTS = {crawler.product_token: crawler for crawler in CRAWLERS}


@cache
def canonical(path: str | bytes) -> str:
    """§2.2.2: bytes outside ASCII percent-encoded, escaped unreserved characters plain, hex in capitals."""
    text = (path.encode() if isinstance(path, str) else path).decode("latin-1")
    pieces = []
    at = 0
    while at < len(text):
        digits = text[at + 1 : at + 3]
        if text[at] == "%" and len(digits) == 2 and HEXADECIMAL.issuperset(digits):
            character = chr(int(digits, 16))
            pieces.append(character if character in UNRESERVED else f"%{digits.upper()}")
            at += 3
        else:
            pieces.append(text[at] if "!" <= text[at] <= "~" else f"%{ord(text[at]):02X}")
            at += 1
    return "".join(pieces)


def matches(pattern: str, path: str) -> bool:
    """§2.2.3, both canonical: from the first octet, ``*`` is any run, ``$`` at the end is the end."""
    ends = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    if not others:
        return not ends or at == len(path)
    for piece in others[:-1]:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    last = others[-1]
    return path[at:].endswith(last) if ends else path.find(last, at) >= 0


@dataclass(frozen=True, slots=True)
class Rule:
    allow: bool
    pattern: str  # as it is written
    line: int

    @property
    def text(self) -> str:
        return rule_text(f"{'Allow' if self.allow else 'Disallow'}: {self.pattern}")


@dataclass(frozen=True, slots=True)
class Group:
    tokens: tuple[str, ...]
    rules: tuple[Rule, ...]


def rule_text(text: str) -> str:
    """A rule in one spelling, however it was written."""
    name, _, pattern = text.partition(":")
    return f"{name.strip().capitalize()}: {canonical(pattern.strip())}"


@cache
def groups(robots_txt: str) -> tuple[Group, ...]:
    """§2.2.1: user-agent lines, then rules; nothing but a user-agent line after a rule begins a new group."""
    found: list[tuple[list[str], list[Rule]]] = []
    for number, line in enumerate(robots_txt.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if colon and name == "user-agent":
            if not found or found[-1][1]:
                found.append(([], []))
            found[-1][0].append(value.partition("/")[0].strip().lower())
        elif colon and name in ("allow", "disallow") and found:
            found[-1][1].append(Rule(name == "allow", value, number))
    return tuple(Group(tuple(tokens), tuple(rules)) for tokens, rules in found)


def binding_rules(robots_txt: str, token: str) -> list[Rule]:
    """§2.2.1: all groups that name the token, in any case; only where there is none, all groups of ``*``."""
    for name in (token.lower(), "*"):
        naming = [group for group in groups(robots_txt) if name in group.tokens]
        if naming:
            return [rule for group in naming for rule in group.rules]
    return []


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on a path, and the rule that decides.

    ``doubtful``: two readings of "most octets", or two lines, would each be right.
    """

    allowed: bool
    rule: Rule | None = None
    doubtful: bool = False


@cache
def decide(robots_txt: str, token: str, path: str) -> Decision:
    """§2.2.2: the longest pattern wins, Allow on a tie; where none matches it may. ``path`` is canonical."""
    if is_policy(path):
        return Decision(True)
    rules = [rule for rule in binding_rules(robots_txt, token) if rule.pattern]
    matching = [rule for rule in rules if matches(canonical(rule.pattern), path)]
    if not matching:
        return Decision(True)
    by_bytes = _winners(matching, lambda rule: len(canonical(rule.pattern)))
    by_spelling = _winners(matching, lambda rule: len(rule.pattern.encode()))
    rule = by_bytes[0]
    return Decision(rule.allow, rule, doubtful=by_bytes != by_spelling or len(by_bytes) > 1)


def _winners(matching: list[Rule], length: Callable[[Rule], int]) -> list[Rule]:
    longest = max(map(length, matching))
    tied = [rule for rule in matching if length(rule) == longest]
    return [rule for rule in tied if rule.allow] or tied


def is_robots_txt(path: str) -> bool:
    """Return True if servers take a path for robots.txt: ``//robots.txt`` and ``/./robots.txt``, too."""
    return resolved(path) == "/robots.txt"


def is_policy(path: str) -> bool:
    """Return True for a policy's path: robots.txt, ai.txt, anything at a well-known URI."""
    target = resolved(path)
    return target in ("/robots.txt", "/ai.txt") or target.startswith("/.well-known/")


@cache
def resolved(path: str) -> str:
    """RFC 3986 §5.2.4 and §6.2.2: without query, repeated slashes and dot segments; ``path`` is canonical."""
    kept: list[str] = []
    *folders, file = path.partition("?")[0].split("/")
    for segment in folders:
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join([*kept, file])


@dataclass(frozen=True, slots=True)
class Version:
    """A site's robots.txt from ``at`` on."""

    at: datetime
    robots_txt: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Return the verdict on a request (a counter of the document), its rule and version."""

    counter: str
    rule: Rule | None = None
    version: Version | None = None
    doubtful: bool = False


def judge(
    versions: Iterable[Version], token: str, when: datetime, path: bytes, status: int, grace_hours: float = 24
) -> Judgement:
    """Exactly one of: robots_txt_reads, allowed, in_grace, exempt, refused, disallowed; in this order.

    Whether it was an impostor that did what was disallowed is told by who the client is, and not here. Before
    the first version nothing was disallowed, so a robots.txt fetched then allows everything.
    """
    wanted = canonical(path)
    if is_robots_txt(wanted):
        return Judgement("robots_txt_reads")
    history = sorted(versions, key=lambda version: version.at)
    begun = [version for version in history if version.at <= when]
    if not begun:
        return Judgement("allowed")
    crawler = FACTS.get(token)  # a policy may name others
    window = timedelta(hours=max(grace_hours, (crawler and crawler.robots_cache_hours) or 0))
    in_force = decide(begun[-1].robots_txt, token, wanted)
    earlier = [
        decide(version.robots_txt, token, wanted)
        for version, following in itertools.pairwise(begun)
        if following.at >= when - window  # it was in force until then; at the very moment, for the crawler
    ]
    doubtful = in_force.doubtful or any(decision.doubtful for decision in earlier)
    if in_force.allowed:
        return Judgement("allowed", doubtful=doubtful)
    if begun[0].at >= when - window or any(decision.allowed for decision in earlier):
        counter = "in_grace"
    elif crawler and crawler.purpose == "user-fetch" and crawler.obeys_robots_txt in ("no", "partly"):
        counter = "exempt"
    elif status in REFUSALS:
        counter = "refused"
    else:
        counter = "disallowed"
    return Judgement(counter, in_force.rule, begun[-1], doubtful)
