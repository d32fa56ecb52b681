"""The meaning of a merged robots.txt, derived from the design and not from the code under test.

RFC 9309 decides what the site's own file means, read as leniently as Google reads it: other records don't end
a group (section 2.2.4), so one without any Allow or Disallow goes on in the next.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from aipolicy.core.crawlers import crawler_named
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility

Rules = list[tuple[bool, str]]  # whether it allows, and the path pattern

AGENT = {"user-agent", "useragent", "user agent"}
DISALLOW = {"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"}
RULE = DISALLOW | {"allow"}
SITE_WIDE = {"sitemap", "sitemaps", "site-map", "host"}

IMPLIED = {
    Visibility.PUBLIC: set[Category](),
    Visibility.DISCOURAGED: {Category.TRAIN_AI, Category.SEARCH},
    Visibility.PRIVATE: set(Category),
}


def canonical(text: str) -> str:
    """Return the path in the one encoding of RFC 9309 section 2.2.2."""

    def spell(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else escape[0].upper()

    raw = text.encode("utf-8", "surrogateescape")
    escaped = quote(raw, safe="/?:@!$&'()*+,;=%[]")
    return re.sub(r"(?<!%)(?<!%[0-9A-Fa-f])%([0-9A-Fa-f]{2})", spell, escaped)


def matches(pattern: str, path: str) -> bool:
    """Return True if the pattern matches: `*` is any characters, `$` is the end (RFC 9309 section 2.2.3)."""
    if not pattern.startswith(("/", "*")):
        return False
    pattern = canonical(pattern)
    parts = [re.escape(part) for part in pattern.removesuffix("$").split("*")]
    end = r"\Z" if pattern.endswith("$") else ""
    return re.match("(?s:.*?)".join(parts) + end, canonical(path)) is not None


def verdict(rules: Rules, path: str) -> bool:
    """Return the answer of the longest matching rule; on a tie, Allow (RFC 9309 section 2.2.2)."""
    matching = ((len(canonical(pattern)), allow) for allow, pattern in rules if matches(pattern, path))
    return path == "/robots.txt" or max(matching, default=(0, True))[1]


def literal(pattern: str) -> str:
    """Return the text that every matching path begins with."""
    return re.split(r"[*$]", canonical(pattern))[0]


def meet(one: str, other: str) -> bool:
    """Return True if two patterns might match the same path."""
    return literal(one).startswith(literal(other)) or literal(other).startswith(literal(one))


def lines(robots_txt: bytes) -> list[str]:
    text = robots_txt.decode("utf-8", "surrogateescape")
    return re.split(r"\r\n|\r|\n", text.lstrip("\ufeff"))


def unmarked(robots_txt: bytes) -> list[str]:
    """Return the lines that are not between aipolicy's markers."""
    kept: list[str] = []
    begun: list[int] = []
    for line in lines(robots_txt):
        match line.replace("\ufeff", "").strip(" \t"):
            case "# BEGIN aipolicy":
                begun = [len(kept)]
            case "# END aipolicy":
                kept = kept[: begun.pop()] if begun else kept
            case _:
                kept.append(line)
    return kept


def field(line: str) -> tuple[str, str]:
    content = line.partition("#")[0].strip(" \t")
    name, colon, value = content.partition(":")
    if colon and name.strip(" \t"):
        return name.strip(" \t").lower(), value.strip(" \t")
    words = re.findall(r"[^ \t]+", content)
    if len(words) == 2 and words[0].lower() in AGENT | RULE | SITE_WIDE:
        return words[0].lower(), words[1]
    return "", ""


def product_token(value: str) -> str:
    token = value.partition("/")[0].strip(" \t")
    return "*" if re.match(r"\*([ \t]|\Z)", token) else token.rstrip("*").strip(" \t").lower()


def groups(text: list[str]) -> list[tuple[set[str], Rules]]:
    found: list[tuple[set[str], Rules]] = []
    for line in text:
        name, value = field(line)
        if name in AGENT:
            if not found or found[-1][1]:  # only a rule ends a run of User-agent lines
                found.append((set(), []))
            found[-1][0].add(product_token(value))
        elif name in RULE and found:
            found[-1][1].append((name not in DISALLOW, value))
    return [(tokens - {""}, rules) for tokens, rules in found]


@dataclass
class Intent:
    """The combined meaning of a policy and the site's own file."""

    policy: SitePolicy
    base: bytes

    @cached_property
    def groups(self) -> list[tuple[set[str], Rules]]:
        return groups(unmarked(self.base))

    @property
    def named(self) -> set[str]:
        return {token for tokens, _ in self.groups for token in tokens}

    def rules_for(self, token: str) -> Rules:
        """Return the answer of the site's own file to a product token."""
        key = token.lower() if token.lower() in self.named else "*"
        return [rule for tokens, rules in self.groups if key in tokens for rule in rules]

    def preferences_at(self, path: str | None) -> list[Preferences]:
        """Return the longest matching path preference, or all that are equally long, over the site's."""
        matching = [(p, its) for p, its in self.policy.path_preferences if path and matches(p, path)]
        longest = max((len(pattern) for pattern, _ in matching), default=0)
        return [p for pattern, p in matching if len(pattern) == longest] or [Preferences()]

    def refuses(self, category: Category, path: str | None) -> bool:
        if category in IMPLIED[self.policy.visibility]:
            return True
        stated = [p[category] for p in self.preferences_at(path)]
        site = self.policy.preferences[category]
        return Preference.DISALLOW in [site if s is Preference.UNKNOWN else s for s in stated]

    def covers(self, token: str) -> bool:
        """Return True if the policy closes anything to this crawler."""
        return any(self.closes(token, path) for path in [None, *self.probes()])

    def probes(self) -> list[str]:
        return [probe for pattern, _ in self.policy.path_preferences for probe in probes(pattern)]

    def closes(self, token: str, path: str | None) -> bool:
        """Return True if the policy alone keeps this crawler out (None: of the site)."""
        if self.policy.visibility is Visibility.PRIVATE:
            return path != "/robots.txt"
        crawler = crawler_named(token)
        if crawler is None or crawler.product_token in self.policy.licensed or path == "/robots.txt":
            return False
        if crawler.to_dict()["class"] == "listed" and self.policy.scope != "broad":
            return False
        return any(self.refuses(category, path) for category in crawler.purpose.categories)

    def answers(self, token: str, path: str) -> set[bool]:
        """Return the right answers: one, but where the site's own rules may make us err on the safe side."""
        if self.closes(token, path):
            return {False}
        own = verdict(self.rules_for(token), path)
        if not own or not self.covers(token):
            return {own}
        return {True} if self.is_plain(token, path) else {True, False}

    def is_plain(self, token: str, path: str) -> bool:
        """Return True if no rule of the site's own is near to the policy's for this path."""
        rules = [*self.rules_for(token), *self.rules_for("*")]
        ours = [pattern for pattern, _ in self.policy.path_preferences if matches(pattern, path)]
        return not any(
            matches(pattern, path) or (not allow and any(meet(pattern, our) for our in ours))
            for allow, pattern in rules
        )


def probes(pattern: str) -> list[str]:
    """Return paths that a pattern matches or nearly matches."""
    if not pattern.startswith(("/", "*")):
        return []
    path = "/" + canonical(pattern).removesuffix("$").replace("*", "x").lstrip("/")
    return [path, path + "y"]
