"""Known limits: which group binds a product token, and where a group begins and ends."""

import re
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

from tests.readers.adapters import GOOGLE, GOOGLE_STYLE, NEW, OLD, PROTEGO, SPY, STDLIB
from tests.readers.limit import Limit
from tests.readers.reading import Group, binding_groups, cut, groups_of, tokens_of

_DELAYS = ("crawl-delay", "request-rate")  # rules of a kind to the standard library


def _key(robots_txt: bytes, token: str) -> str:
    """Return the name of the lines that bind this token: its own if any line has it, or `*`."""
    return token.lower() if token.lower() in tokens_of(robots_txt) else "*"


def _token_is_cut(robots_txt: bytes, token: str, _path: str) -> bool:
    shorter = {name for name in tokens_of(robots_txt) if name != "*" and cut(name) != name}
    return any(token.lower() in (name, cut(name)) for name in shorter)


def _star_and_more(robots_txt: bytes, token: str, _path: str) -> bool:
    return _key(robots_txt, token) == "*" and any(re.match(r"\*.", name) for name in tokens_of(robots_txt))


def _inherits_rules(robots_txt: bytes, token: str, _path: str) -> bool:
    heir = None
    for group in groups_of(robots_txt):
        if all(re.search(r"^[^a-z_*-]|[s\]]", name.removeprefix(cut(name))) for name in group.tokens):
            if heir and any(heir is bound for bound in binding_groups(robots_txt, token)):
                return True
        else:
            heir = group
    return False


def _shares_rules(robots_txt: bytes, token: str, _path: str) -> bool:
    earlier: set[str] = set()
    for group in groups_of(robots_txt):
        names = {cut(name) or "*" for name in group.tokens}
        if len(names) > 1 and names & earlier and _key(robots_txt, token) in (*group.tokens, *names):
            return True
        earlier |= names
    return False


def _begins_with_a_name(robots_txt: bytes, token: str, _path: str) -> bool:
    names = {name.replace("*", "") for name in tokens_of(robots_txt)} - {""}
    return _key(robots_txt, token) == "*" and any(
        re.search(rf"(?<![\w-]){re.escape(name)}", token.lower()) for name in names
    )


def _ties_with_the_star(robots_txt: bytes, token: str, _path: str) -> bool:
    names = tokens_of(robots_txt)
    return len(token) == 1 and "*" in names and token.lower() in names[names.index("*") :]


def _contains_a_name(robots_txt: bytes, token: str, _path: str) -> bool:
    names = set(tokens_of(robots_txt)) - {"*"}
    return _key(robots_txt, token) == "*" and any(name in token.lower() for name in names)


def _contains_an_earlier_name(robots_txt: bytes, token: str, _path: str) -> bool:
    for names in chain.from_iterable(map(_entries, groups_of(robots_txt))):
        if "*" not in names and any(name in token.lower() for name in names):
            return token.lower() not in names
    return False


def _entries(group: Group) -> Iterator[list[str]]:
    """The tokens that the standard library takes together: a delay between two of them ends an entry."""
    ends = sorted({before for name, before in group.other if name in _DELAYS} | {0, len(group.tokens)})
    return (group.tokens[start:end] for start, end in pairwise(ends))


def _later_group(robots_txt: bytes, token: str, _path: str) -> bool:
    groups, bound = groups_of(robots_txt), binding_groups(robots_txt, token)
    if len(bound) != 1:
        return len(bound) > 1
    return "*" in bound[0].tokens and bound[0] is not next(group for group in groups if "*" in group.tokens)


def _blank_line_inside(robots_txt: bytes, token: str, _path: str) -> bool:
    return any(group.gap for group in binding_groups(robots_txt, token))


def _no_rule(robots_txt: bytes, token: str, _path: str) -> bool:
    return any(not group.rules for group in binding_groups(robots_txt, token))


def _split_by(separates: Callable[[str], bool]) -> Callable[[bytes, str, str], bool]:
    def applies(robots_txt: bytes, token: str, _path: str) -> bool:
        key = _key(robots_txt, token)
        return any(
            separates(name) and before < len(group.tokens) and key in group.tokens[:before]
            for group in binding_groups(robots_txt, token)
            for name, before in group.other
        )

    return applies


GROUP_LIMITS = (
    # Which group binds a token
    Limit(
        "token-cut",
        GOOGLE_STYLE,
        "a user-agent value is cut at the first character outside [A-Za-z_-]: "
        "`AI2Bot` binds `AI`, not `AI2Bot`",
        "RFC 9309 section 2.2.1 allows only those characters in a product token",
        _token_is_cut,
    ),
    Limit(
        "star-and-more",
        GOOGLE | SPY,
        "`* anything` means `*` (robotspy: `*anything` too)",
        "RFC 9309 section 2.2.1: the value is a product token or exactly `*`",
        _star_and_more,
    ),
    Limit(
        "line-dropped",
        SPY,
        "a user-agent line with an `s` or a `]` after the cut (`img2dataset`), or nothing before it, is "
        "ignored: a group of such lines only gives its rules to the group before it",
        "a slip in its expression for user-agent lines; RFC 9309 section 2.2.1 has no such token",
        _inherits_rules,
    ),
    Limit(
        "repeated-token-shares",
        SPY,
        "where a group of several tokens repeats one from an earlier group, the earlier rules may bind "
        "others of its tokens too (which ones depends on the hash seed)",
        "a slip in its merge; RFC 9309 section 2.2.1: groups for one token are combined, for that token",
        _shares_rules,
    ),
    Limit(
        "prefix-binds",
        PROTEGO,
        "without a group of its own a token is bound by a group whose name it begins with: "
        "`Applebot` binds `Applebot-Extended`",
        "RFC 9309 section 2.2.1: the whole product token is compared",
        _begins_with_a_name,
    ),
    Limit(
        "one-letter-token",
        PROTEGO,
        "a token of one letter ties with `*`, and the earlier group wins",
        "RFC 9309 section 2.2.1: `*` is only for tokens that no group names",
        _ties_with_the_star,
    ),
    Limit(
        "substring-binds",
        NEW,
        "without a group of its own a token is bound by the first group whose name it contains",
        "RFC 9309 section 2.2.1: the whole product token is compared",
        _contains_a_name,
    ),
    Limit(
        "earlier-substring-binds",
        OLD,
        "a token is bound by the first group whose name it contains, even before a group of its own",
        "RFC 9309 section 2.2.1: the whole product token is compared, wherever its group stands",
        _contains_an_earlier_name,
    ),
    Limit(
        "slash-in-token",
        OLD,
        "the token asked about is cut at `/`, that of a group isn't: `Bot/1.0` binds nobody",
        "RFC 9309 section 2.2.1 has no `/` in a product token",
        lambda _robots_txt, token, _path: "/" in token,
    ),
    Limit(
        "first-group-only",
        OLD,
        "of several groups for a token, or for `*`, the first alone counts; a group with `*` serves `*` only",
        "RFC 9309 section 2.2.1: groups for one token are combined",
        _later_group,
    ),
    # Where a group begins and ends
    Limit(
        "blank-line-ends-group",
        OLD,
        "a blank line ends the group: user-agent lines before it, or rules after it, are lost",
        "RFC 9309 section 2.2: a group may hold empty lines",
        _blank_line_inside,
    ),
    Limit(
        "group-without-rules",
        OLD,
        "a last group without rules is dropped, so that `*` applies",
        "RFC 9309 section 2.2: a group may have no rules",
        _no_rule,
    ),
    Limit(
        "unknown-record-splits",
        PROTEGO,
        "a record it doesn't know between two user-agent lines starts a new group",
        "RFC 9309 section 2.2.4: other records must not end a group",
        _split_by(lambda name: name not in ("sitemap", "sitemaps", "site-map", "host")),
    ),
    Limit(
        "delay-splits",
        STDLIB,
        "Crawl-delay or Request-rate between two user-agent lines starts a new group",
        "RFC 9309 section 2.2.4: other records must not end a group",
        _split_by(lambda name: name in _DELAYS),
    ),
)
