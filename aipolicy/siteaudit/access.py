"""What an answer to /robots.txt means to crawlers, before a line of it is read."""

from enum import StrEnum

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import FetchTrouble
from aipolicy.siteaudit.observation import Answer

SHUT = b"User-agent: *\nDisallow: /\n"


class Access(StrEnum):
    """RFC 9309 §2.3.1: there are rules; or none (*unavailable*); or everything is off (*unreachable*)."""

    RULES = "rules"
    NO_RULES = "no rules"
    UNREACHABLE = "unreachable"


def access_of(answer: Answer) -> Access:
    """What RFC 9309 makes of it. Google reads 429 like a 5xx, and CPython 401 and 403.

    A body that can't be decoded was had, and has no line that can be parsed (§2.3.1.1). After more than five
    redirects crawlers may take it for unavailable (§2.3.1.2), and Google does; one that leads to no URL can't
    be followed either.
    """
    if answer.trouble in (FetchTrouble.CODING, FetchTrouble.REDIRECTS) or 300 <= answer.status < 400:
        return Access.NO_RULES
    if answer.trouble is not None:
        return Access.UNREACHABLE
    if answer.ok:
        return Access.RULES
    return Access.NO_RULES if 400 <= answer.status < 500 else Access.UNREACHABLE


def effective(answer: Answer) -> bytes:
    """The octets whose rules hold: what was sent, as far as all crawlers read it, or what stands for it."""
    stand_ins = {Access.NO_RULES: b"", Access.UNREACHABLE: SHUT}
    return stand_ins.get(access_of(answer), answer.body[:MAX_ROBOTS_BYTES])
