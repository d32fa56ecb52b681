"""From what was seen in a trap to a verdict.

A crawl that was stopped proves nothing but what it did: it may break a clause, and never obeys one.
"""

from aipolicy.conformance.clause import Finding, Judge, Verdict
from aipolicy.conformance.fixture import BEGINNING, START, Place, Trap
from aipolicy.conformance.recording import Fetch, Seen
from aipolicy.robotstxt.matching import verdict as ruling_of
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_LIFE_AND_DELAY = 2.5  # seconds: max-age=1, and what a busy machine may take to hand over the copy
_FLOODED = "it asked more than could be watched"


def by_pages(trap: Trap, seen: Seen, token: str) -> Finding:
    """Judge by which pages were fetched: a forbidden one, every control, every free one."""
    fetched = [fetch for place in trap.forbidden if (fetch := seen.of(place))]
    if fetched:
        return against(trap, min(fetched, key=lambda fetch: fetch.at), token)
    missed = [place for place in trap.controls if not seen.of(place)]
    if missed or not seen.fetches:
        return Finding(Verdict.NOT_TESTED, _never_came(missed, seen))
    if seen.flooded:
        return Finding(Verdict.NOT_TESTED, _FLOODED)
    if seen.ending.stopped:
        return Finding(Verdict.NOT_TESTED, _unfinished(seen))
    spared = [place for place in trap.free if not seen.of(place)]
    if spared:
        return Finding(Verdict.OVER_CAUTIOUS, f"it never fetched {spared[0].path}, which it may")
    return Finding(Verdict.OBEYS)


def nothing_before_robots(trap: Trap, seen: Seen, token: str) -> Finding:
    """Nothing may be asked for before the answer to /robots.txt is there."""
    read = [fetch.done for fetch in seen.robots()]
    for fetch in seen.pages:
        if not read:
            return Finding(Verdict.DISOBEYS, "it never read /robots.txt", fetch)
        if fetch.at < min(read):
            return Finding(Verdict.DISOBEYS, "it had not read /robots.txt yet", fetch)
    return by_pages(trap, seen, token)


def nothing_at_all(trap: Trap, seen: Seen, token: str) -> Finding:
    """Complete disallow: the start page counts, too, once /robots.txt has been asked for.

    Before that it is a matter of *nothing before robots.txt*.
    """
    read = [fetch.done for fetch in seen.robots()]
    for fetch in seen.pages:
        if fetch.authority == START and (fetch.key != BEGINNING.key or (read and fetch.at >= min(read))):
            return Finding(Verdict.DISOBEYS, trap.because, fetch)
    if not read:
        return Finding(Verdict.NOT_TESTED, f"it never asked for /robots.txt{_how(seen)}")
    if seen.flooded:
        return Finding(Verdict.NOT_TESTED, _FLOODED)
    if seen.ending.stopped:  # it may well ask for a month, and be right: but nobody waited for it
        return Finding(Verdict.NOT_TESTED, _unfinished(seen))
    return Finding(Verdict.OBEYS)


def asked_for(place: Place) -> Judge:
    """Return a judge that wants one place to be asked for, and else nothing but that pages are fetched."""

    def judge(trap: Trap, seen: Seen, token: str) -> Finding:
        if seen.of(place):
            return Finding(Verdict.OBEYS)
        finding = by_pages(trap, seen, token)
        if finding.verdict in (Verdict.OBEYS, Verdict.DISOBEYS):
            if not seen.robots():
                return Finding(Verdict.DISOBEYS, "it never read /robots.txt")
            why = f"it never asked for {place.path}{_where(place)}, to where /robots.txt redirects"
            return Finding(Verdict.DISOBEYS, why)
        return finding

    return judge


def as_deep(trap: Trap, seen: Seen, token: str) -> Finding:
    """``by_pages``, and how much further than asked a large robots.txt is read."""
    finding = by_pages(trap, seen, token)
    if finding.verdict is not Verdict.OBEYS:
        return finding
    further = "not obeyed, which is free" if seen.of(Place("/after.html")) else "obeyed, too"
    return Finding(Verdict.OBEYS, f"a rule after 500 KiB is {further}")


def fresh(trap: Trap, seen: Seen, token: str) -> Finding:
    """Judge a fetch that was allowed at first, and is forbidden by the time that it may be made."""
    late = seen.of(trap.forbidden[0])
    if late is None:
        changed = any(fetch.answer.body == trap.rules[START] for fetch in seen.robots())
        finding = by_pages(trap, seen, token)
        if finding.verdict is Verdict.OBEYS and not changed:
            return Finding(Verdict.NOT_TESTED, f"it never came to {trap.forbidden[0].path}")
        return finding
    copies = [fetch for fetch in seen.robots() if fetch.done <= late.at]
    if not copies:
        return Finding(Verdict.DISOBEYS, "it never read /robots.txt", late)
    if copies[-1].answer.body == trap.rules[START]:
        return against(trap, late, token)
    age = late.at - copies[-1].done
    if age <= _LIFE_AND_DELAY:
        why = f"its crawl came to {trap.forbidden[0].path} before its copy of robots.txt was stale"
        return Finding(Verdict.NOT_TESTED, why)
    return Finding(Verdict.DISOBEYS, f"its copy of robots.txt was {age:.1f} s old, with max-age=1", late)


def followed_a_link(trap: Trap, seen: Seen) -> bool:
    """Whether it fetched a page of the trap that it wasn't given."""
    places = {*trap.controls, *trap.forbidden, *trap.free} - {BEGINNING}
    return any(seen.of(place) for place in places)


def against(trap: Trap, fetch: Fetch, token: str) -> Finding:
    """The finding for a forbidden fetch, with the rule that forbade it."""
    rules = trap.rules.get(fetch.authority, b"")
    linked = next((place for place in trap.forbidden if fetch.key in place.keys), None)
    asked = linked.path if linked else fetch.target
    rule = ruling_of(RobotsTxt.parse(rules), token, asked).rule
    if trap.because or rule is None:
        return Finding(Verdict.DISOBEYS, trap.because, fetch)
    if linked and fetch.key != linked.key:
        why = f"read from the link {linked.path}, which line {rule.line} forbids"
        return Finding(Verdict.DISOBEYS, why, fetch)
    return Finding(Verdict.DISOBEYS, "", fetch, lines_of(rules)[rule.line - 1].strip(" \t"), rule.line)


def _never_came(missed: list[Place], seen: Seen) -> str:
    if not seen.fetches:
        return "it fetched nothing" + _how(seen)
    if not seen.pages:
        return "it read /robots.txt, and then nothing" + _how(seen)
    return f"it never fetched {missed[0].path}{_where(missed[0])}, which is linked and allowed" + _how(seen)


def _where(place: Place) -> str:
    return "" if place.authority == START else f" of the {place.authority} port"


def _how(seen: Seen) -> str:
    if seen.flooded:
        return " (it asked too often, and was shut out)"
    if seen.ending.stopped:
        return f" ({_stopped(seen)})"
    return f" (it ended with exit code {seen.ending.exit_code})" if seen.ending.exit_code else ""


def _unfinished(seen: Seen) -> str:
    return f"{_stopped(seen)}, and had not ended: give it more --seconds"


def _stopped(seen: Seen) -> str:
    return f"it was stopped after {seen.ending.seconds:.0f} s"
