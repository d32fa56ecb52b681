"""Rewrite a site's own groups so that every parser reads them as RFC 9309 does."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.matching import Content, GroupIndex, IndexedGroup
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule, read_together


def portable(robots: RobotsTxt, most: int | None = None) -> RobotsTxt:
    """Return ``robots`` in a form that older parsers read as RFC 9309 does.

    Some parsers end a group at a ``Crawl-delay`` between two User-agent lines. RFC 9309 doesn't, so what it
    reads as one group is written as one.

    Args:
        most: Maximum bytes of the resulting groups; None for no limit.

    Raises:
        RobotsTooLargeError: They have more.
    """
    robots = one_group_a_token(replace(robots, groups=tuple(read_together(robots.groups))), most)
    groups = tuple(map(portable_group, robots.groups))
    preamble, site_wide = portable_group(Group((), robots.preamble)).records, robots.site_wide
    if not any(map(has_meaning, preamble)):
        # A preamble of comments alone would be read as the comments of the next group.
        comments = tuple(record for record in preamble if isinstance(record, Record))
        if groups:
            first = replace(groups[0], leading=comments + groups[0].leading)
            groups, preamble = (first, *groups[1:]), ()
        elif site_wide:
            preamble, site_wide = (), comments + site_wide
    return RobotsTxt(groups, preamble, site_wide)


def one_group_a_token(robots: RobotsTxt, most: int | None = None) -> RobotsTxt:
    """Return ``robots`` with each product token in one group only.

    RFC 9309 §2.2.1 combines all groups of a token; older parsers use only the first. A group whose tokens are
    in no other group is kept as it is. The result may be 50 times as large as the file, so its bytes are
    counted on the way. Raises RobotsTooLargeError if there are more than ``most``.
    """
    index = GroupIndex(robots.groups)
    together: dict[Content, list[str]] = {}
    for name in index.names:
        binding = index.bound(name)
        together.setdefault(binding.content, []).append(binding.tokens[0])
    placed: set[IndexedGroup] = set()  # whose leading comments are placed
    groups = []
    lines: dict[IndexedGroup, dict[str, Rule | Record]] = {}  # each line once
    size = 0
    for content, tokens in together.items():
        leading = [c for part in content.parts if part not in placed for c in part.group.leading]
        placed.update(content.parts)
        if len(content.parts) > 1:
            combined: dict[str, Rule | Record] = {}
            for part in content.parts:
                if part not in lines:
                    lines[part] = {str(record): record for record in part.records}
                combined |= lines[part]
                if most is not None and size + len(combined) > most:
                    break
            records = tuple(combined.values())
            size += sum(map(len, combined)) + len(combined)
        else:
            records = content.parts[0].records
        if most is not None and size > most:
            raise RobotsTooLargeError(f"its groups, combined for each crawler, have more than {most} bytes")
        groups.append(Group(tuple(tokens), records, tuple(leading)))
    return replace(robots, groups=tuple(groups))


def portable_group(group: Group) -> Group:
    """Return a group that all parsers read alike.

    The longest match wins in any order (§2.2.2), but older parsers use the first match, so the longest rule
    comes first. A line that parsers read differently becomes a comment.
    """
    has_rules = any(rule.effective for rule in group.rules)
    records = [_plain(record, has_rules) for record in group.records]
    if len({rule.allow for rule in group.rules if rule.effective}) > 1:
        records = _longest_first(group.records, records)
    return replace(group, records=tuple(settled(records)))


def settled(records: Iterable[Rule | Record]) -> list[Rule | Record]:
    """Return ``records`` with comment lines moved from the end to the top: the next group would get them."""
    records = list(records)
    end = len(records)
    while end and not has_meaning(records[end - 1]):
        end -= 1
    return records[end:] + records[:end]


def has_meaning(record: Rule | Record) -> bool:
    """Return True if it is more than a comment line."""
    return isinstance(record, Rule) or bool(record.name)


def _longest_first(before: Sequence[Rule | Record], records: Sequence[Rule | Record]) -> list[Rule | Record]:
    """Sort ``records``, the rewritten ``before``; comment lines move with the line below them.

    The sort key is one number a line, because a file has up to 250,000 lines: Python's garbage collector
    visits every list and tuple, and stops all threads for that time.
    """
    ranks: list[int] = []
    rank = _OTHER_LINES
    for original, record in zip(reversed(before), reversed(records), strict=True):
        if has_meaning(original):
            rank = _rank(record)
        ranks.append(rank)
    ranks.reverse()
    return [records[index] for index in sorted(range(len(records)), key=ranks.__getitem__)]


_OTHER_LINES = -2 * MAX_ROBOTS_BYTES  # the rank of other lines: before the rules


def _rank(record: Rule | Record) -> int:
    if isinstance(record, Rule):
        return -2 * len(record.pattern) + (not record.allow)  # on a tie Allow wins
    return _OTHER_LINES


def _plain(record: Rule | Record, has_rules: bool) -> Rule | Record:
    if isinstance(record, Record):
        without_effect = record.read_differently
    else:  # an empty one has no effect among other rules, but first-match parsers stop there
        without_effect = not record.pattern and has_rules
    return Record("", f" no effect: {record}") if without_effect else record
