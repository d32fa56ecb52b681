"""Response headers: what a policy says in them, and how they join what the application set already.

Names are lower case, as ASGI and HTTP/2 want them.
"""

import re
from collections.abc import Iterable
from html import escape

from aipolicy.core.paths import WHITE_SPACE
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preferences, merge_statement
from aipolicy.core.validation import Visibility
from aipolicy.signals.switches import Signals

Header = tuple[bytes, bytes]

X_ROBOTS_TAG, CONTENT_USAGE = b"x-robots-tag", b"content-usage"
TDM_RESERVATION, TDM_POLICY, LINK = b"tdm-reservation", b"tdm-policy", b"link"

# As the specifications write them; HTTP itself doesn't care.
_SPELLED = {"x-robots-tag": "X-Robots-Tag", "content-usage": "Content-Usage", "link": "Link"}

# X-Robots-Tag rules: what stands before their colon is no crawler's name.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_RULES = _VALUED | {
    *("all", "index", "follow", "noindex", "nofollow", "none", "noarchive", "nocache", "nosnippet"),
    *("noimageindex", "notranslate", "indexifembedded", "noai", "noimageai", "noml", "noodp", "noydir"),
}
# A date may have a comma behind the day's name (RFC 822, RFC 850) or behind the day ("June 25, 2010").
_REST_OF_DATE = re.compile(
    r"[ \t]*(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ \t]+)?"
    r"\d+(?:[ \t/]|-[a-z]{3}-|-\d|$)"
)
_COMMAS_OF_DATE = 2


def headers_of(policy: SitePolicy, preferences: Preferences, signals: Signals) -> tuple[Header, ...]:
    """The headers of a response whose content has ``preferences`` (the site's, or a path's)."""
    no_training = preferences.disallows(Category.TRAIN_AI)
    lines: list[tuple[bytes, str]] = []
    if no_training and signals.noai:
        # Alone on the first line, lower case: datadiligence and img2dataset miss it otherwise.
        lines.append((X_ROBOTS_TAG, "noai, noimageai"))
    if no_training and signals.noarchive:
        lines.append((X_ROBOTS_TAG, "noarchive"))
    if preferences.disallows(Category.AI_USE) and signals.nosnippet:
        lines.append((X_ROBOTS_TAG, "nosnippet"))
    if policy.visibility is not Visibility.PUBLIC:
        lines.append((X_ROBOTS_TAG, "noindex, nofollow"))
    if preferences and signals.content_usage:
        lines.append((CONTENT_USAGE, str(preferences)))
    if no_training and signals.tdm:
        lines.append((TDM_RESERVATION, "1"))
        if signals.tdm_policy and policy.tdm_policy_url:
            lines.append((TDM_POLICY, policy.tdm_policy_url))
    if signals.rsl and policy.license_url:
        # RSL 1.0: an association needs exactly this relation and type.
        lines.append((LINK, f'<{policy.license_url}>; rel="license"; type="application/rsl+xml"'))
    return tuple((name, value.encode("ascii")) for name, value in lines)


def as_text(header: Header) -> tuple[str, str]:
    """Name and value for people and other servers: the name as its specification spells it."""
    name, value = header[0].decode("ascii"), header[1].decode("ascii")
    return _SPELLED.get(name, name), value


def meta_tags(headers: Iterable[Header]) -> bytes:
    """The same signals as HTML meta tags, where they have such a form (TDMRep §6; Google's robots meta)."""
    named = {X_ROBOTS_TAG: b"robots", TDM_RESERVATION: b"tdm-reservation", TDM_POLICY: b"tdm-policy"}
    tags = ((named[name], escape(value.decode()).encode()) for name, value in headers if name in named)
    return b"".join(b'<meta name="%b" content="%b">' % tag for tag in tags)


def merge_headers(theirs: Iterable[Header], ours: Iterable[Header]) -> list[Header]:
    """The header list of a response that has ``theirs``, with ``ours``; a new list.

    ``X-Robots-Tag``: ours first, theirs kept. ``Content-Usage``: one line, most restrictive.
    ``tdm-reservation`` and ``tdm-policy``: set, never appended (``1, 1`` is read as unset). Theirs
    are known in any capitals, and with spaces around them.
    """
    theirs, ours = list(theirs), list(ours)
    set_by_us = {name for name, _ in ours} - {X_ROBOTS_TAG, LINK}
    tags = [header for header in ours if header[0] == X_ROBOTS_TAG]
    kept = [
        header
        for header in theirs
        if (name := field_name(header[0])) not in set_by_us
        and (name, bytes(header[1]).strip(b" \t\r\n")) not in ours
    ]
    stated = [bytes(value) for name, value in theirs if field_name(name) == CONTENT_USAGE]
    rest = [
        (
            name,
            merge_statement(Preferences.parse(value), *stated) if stated and name == CONTENT_USAGE else value,
        )
        for name, value in ours
        if name != X_ROBOTS_TAG
    ]
    return [*tags, *kept, *rest]


def field_name(name: bytes) -> bytes:
    """Return a field name as it is compared, however an application wrote it."""
    return bytes(name).strip(b" \t\r\n").lower()


def parse_x_robots_tag(lines: Iterable[str], agent: str = "") -> frozenset[str]:
    """The rules of ``X-Robots-Tag`` header ``lines`` for a crawler named ``agent``, in lower case.

    Google's robots meta tag specification (2026-03-24): rules without a name hold for all, those behind
    ``name:`` for that crawler alone; names and rules are not case-sensitive.
    """
    return frozenset(
        rule for line in lines for name, rule in named_rules(line) if not name or name == agent.lower()
    )


def named_rules(line: str) -> list[tuple[str, str]]:
    """The rules of one ``X-Robots-Tag`` line in lower case, each with the crawler that it is for; "" is all.

    Proxies join lines with commas (RFC 9110 §5.3), so a name may stand before any rule, and holds up to the
    next name: ``BadBot: noindex, nofollow, GPTBot: noai``.
    """
    found: list[tuple[str, str]] = []
    name = ""
    for member in line.lower().split(","):
        if _goes_on(found, member):
            found[-1] = name, f"{found[-1][1]},{member.rstrip(WHITE_SPACE)}"
            continue
        before, colon, after = member.partition(":")
        before, rule = before.strip(WHITE_SPACE), member.strip(WHITE_SPACE)
        if colon and before not in _RULES:
            name, rule = before, after.strip(WHITE_SPACE)
        if rule:
            found.append((name, rule))
    return found


def _goes_on(found: list[tuple[str, str]], member: str) -> bool:
    """Return True if ``member`` is the rest of a date in the last rule."""
    last = found[-1][1] if found else ""
    is_date = last.startswith("unavailable_after") and last.count(",") < _COMMAS_OF_DATE
    return is_date and _REST_OF_DATE.match(member) is not None
