"""AIPREF's ``Content-Usage``: the response header, and the line of robots.txt.

The header is one Structured Field Dictionary (draft-ietf-aipref-vocab-08, RFC 9651). A line of robots.txt may
have a path before the statement; the line with the longest matching path applies
(draft-ietf-aipref-attach-05). ``aipolicy.core.preferences`` parses the statement.
"""

import re

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import TOKENS, Category, Preference, Preferences, members_of
from aipolicy.signals.content_signal import CATEGORIES
from aipolicy.signals.header_field import HeaderField
from aipolicy.signals.switches import Signals

_LABELS = CATEGORIES | {str(category): category for category in Category}  # people mix the two signals up
_WORDS = dict.fromkeys(("y", "yes", "true", "1"), Preference.ALLOW) | dict.fromkeys(
    ("n", "no", "false", "0"), Preference.DISALLOW
)
_PLAIN_NO = frozenset({"n", "no", "none", "noai", "disallow"})
# A member of a Dictionary that can be parsed: strings (RFC 9651 §3.3.3, §3.3.8) may have commas.
_MEMBER = re.compile(r'(?:%"[^"]*"|"(?:[^"\\]|\\.)*"|[^,"])+')


def _values(policy: SitePolicy, preferences: Preferences, signals: Signals) -> tuple[str, ...]:
    return (str(preferences),) if signals.content_usage and preferences else ()


def _combine(stated: bytes, existing: list[bytes]) -> bytes:
    return merge_statement(Preferences.parse(stated), *existing)


FIELD = HeaderField("Content-Usage", _values, combine=_combine)


def merge_statement(added: Preferences, *existing: bytes) -> bytes:
    """Return one value for a message with the field lines ``existing``: the most restrictive wins.

    Of two field lines the last would win (RFC 9651 §4.2), and one that can't be parsed would make the others
    invalid. So all are joined into one, which disallows what any of them disallows. Members that this version
    doesn't know are kept.
    """
    import http_sf

    combined = added.combined(Preferences.parse(b", ".join(line for line in existing if line.strip(b" \t"))))
    others: dict[str, object] = {}
    for line in existing:
        combined = combined.combined(Preferences.parse(line).disallowed)
        members = members_of(line) or {}
        others |= {label: value for label, value in members.items() if label not in set(Category)}
    known: dict[str, object] = {str(c): http_sf.Token(TOKENS[p]) for c, p in combined if p in TOKENS}
    merged = known | others
    return http_sf.ser(merged).encode() if merged else b""  # type: ignore[arg-type]


def strictest_of(value: str) -> Preferences:
    """Return the most restrictive preferences in a header value, as if no member replaced another."""
    strictest = Preferences()
    for member in _MEMBER.findall(value) if members_of(value) else ():
        strictest = strictest.combined(Preferences.parse(member.strip(" \t")))
    return strictest


def usage_by_path(policy: SitePolicy, signals: Signals) -> dict[str, Preferences]:
    """Return the paths that need a line of robots.txt, with their preferences; "" is the whole site.

    Only the longest matching path applies (attach-05 §3), so a path with the preferences of the site needs a
    line too, because a shorter path may have others. A path without preferences needs a line only if
    something is granted elsewhere, which it must not inherit.
    """
    if not signals.content_usage:
        return {}
    site = policy.effective
    paths = dict(policy.effective_paths)
    different = {p for p in paths.values() if p != site}
    if not any(preference is Preference.ALLOW for p in different for _, preference in p):
        paths = {path: p for path, p in paths.items() if p} if different else {}
    return ({"": site} if site else {}) | paths


def usage_line(path: str, statement: str) -> str:
    """Return a line of robots.txt."""
    return " ".join(filter(None, ("Content-Usage:", path, statement)))


def without_grants(value: str, usage: dict[str, Preferences]) -> str | None:
    """Return the value of a site's own line without the grants that ``usage`` disallows, or None.

    Adds the preferences for the line's path to ``usage``, the policy's preferences by path: only the longest
    matching line applies (attach-05 §3), so this line would hide the policy's line for the whole site. The
    most restrictive of several lines with one path wins.
    """
    path, statement = split_usage(value)
    stated, refused = Preferences.parse(statement), usage.get(path, usage.get("", Preferences()))
    grants = [c for c in Category if stated[c] is Preference.ALLOW and refused[c] is Preference.DISALLOW]
    kept = Preferences(*(Preference.UNKNOWN if c in grants else stated[c] for c in Category))
    if grants and not kept:
        return None
    combined = kept.combined(refused)
    if combined:
        usage[path] = combined
    return f"{path} {kept}".strip(" \t") if grants else value


def split_usage(value: str) -> tuple[str, str]:
    """Return the path ("" if there is none) and the statement of a robots.txt line (attach-05 §3.1)."""
    if not value.startswith("/"):
        return "", value
    path, _, statement = value.replace("\t", " ").partition(" ")
    return path, statement.strip(" \t")


def guess_usage(statement: str) -> Preferences:
    """Return the probable meaning of an unreadable statement. Only a written yes is taken for a yes.

    A plain "no" disallows training. The stricter of two contradictory members counts.
    """
    words = statement.lower().replace("=", " = ").replace(",", " ").replace(";", " ").split()
    if len(words) == 1 and words[0] in _PLAIN_NO:
        return Preferences(train_ai=Preference.DISALLOW)
    meant: dict[Category, Preference] = {}
    for label, equals, value in zip(words, words[1:], words[2:], strict=False):
        found = guess_member(label.replace("_", "-"), value.strip('"?()')) if equals == "=" else None
        if found and meant.get(found[0]) is not Preference.DISALLOW:
            meant[found[0]] = found[1]
    return Preferences(*(meant.get(category, Preference.UNKNOWN) for category in Category))


def guess_member(label: str, value: str) -> tuple[Category, Preference] | None:
    """Return the probable meaning of one member, by the labels of either signal, or None."""
    category, preference = _LABELS.get(label), _WORDS.get(value)
    return (category, preference) if category and preference else None
