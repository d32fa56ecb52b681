"""Judges: functions that turn the recording of a crawl into a verdict.

A crawl that was stopped can prove that the crawler breaks a clause, but never that it obeys one.
"""

from aipolicy.conformance.clause import ClauseFinding, ClauseVerdict, Judge
from aipolicy.conformance.fixture import START, START_PAGE, Fixture, PageLink
from aipolicy.conformance.recording import RecordedFetch, Recording
from aipolicy.robotstxt.matching import verdict as robots_verdict
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_FRESH = 2.5  # seconds: max-age=1, and the delay of a busy machine
_FLOODED = "it sent more requests than could be recorded"


def not_tested(reason: str) -> ClauseFinding:
    return ClauseFinding(ClauseVerdict.NOT_TESTED, reason)


def disobeys(reason: str, fetch: RecordedFetch | None = None) -> ClauseFinding:
    return ClauseFinding(ClauseVerdict.DISOBEYS, reason, fetch)


def judge_pages(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    """Judge by the pages that were fetched: no forbidden one, every control, every allowed one."""
    fetched = [fetch for link in fixture.forbidden if (fetch := recording.fetch_of(link))]
    if fetched:
        return _disallowed_fetch(fixture, min(fetched, key=lambda fetch: fetch.at), token)
    missed = [link for link in fixture.controls if not recording.fetch_of(link)]
    if missed or not recording.fetches:
        return not_tested(_reason_untested(missed, recording))
    if recording.flooded:
        return not_tested(_FLOODED)
    if recording.ending.stopped:
        return not_tested(_unfinished(recording))
    skipped = [link for link in fixture.allowed if not recording.fetch_of(link)]
    if skipped:
        reason = f"it never fetched {skipped[0].path}, which is allowed"
        return ClauseFinding(ClauseVerdict.OVER_CAUTIOUS, reason)
    return ClauseFinding(ClauseVerdict.OBEYS)


def judge_robots_first(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    """Judge that no page is requested before the response to /robots.txt."""
    read = [fetch.done for fetch in recording.robots()]
    for fetch in recording.pages:
        if not read:
            return disobeys("it never read /robots.txt", fetch)
        if fetch.at < min(read):
            return disobeys("it had not read /robots.txt yet", fetch)
    return judge_pages(fixture, recording, token)


def judge_no_fetch(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    """Judge that nothing is fetched (complete disallow).

    The start page counts only after the request for /robots.txt; before it, that is another clause.
    """
    read = [fetch.done for fetch in recording.robots()]
    for fetch in recording.pages:
        before_robots = fetch.key == START_PAGE.key and not (read and fetch.at >= min(read))
        if fetch.authority == START and not before_robots:
            return disobeys(fixture.reason, fetch)
    if not read:
        return not_tested(f"it never requested /robots.txt{_exit_note(recording)}")
    if recording.flooded:
        return not_tested(_FLOODED)
    if recording.ending.stopped:  # it may rightly retry for a month
        return not_tested(_unfinished(recording))
    return ClauseFinding(ClauseVerdict.OBEYS)


def judge_request_for(link: PageLink) -> Judge:
    """Return a judge that requires a request for ``link``, if the crawler fetches pages at all."""

    def judge(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
        if recording.fetch_of(link):
            return ClauseFinding(ClauseVerdict.OBEYS)
        finding = judge_pages(fixture, recording, token)
        if finding.verdict in (ClauseVerdict.OBEYS, ClauseVerdict.DISOBEYS):
            if not recording.robots():
                return disobeys("it never read /robots.txt")
            return disobeys(f"it never followed the redirect of /robots.txt to {link.path}{_port(link)}")
        return finding

    return judge


def judge_large_file(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    """Judge as ``judge_pages``, and note if the crawler reads more of a large robots.txt than required."""
    finding = judge_pages(fixture, recording, token)
    if finding.verdict is not ClauseVerdict.OBEYS:
        return finding
    ignored = recording.fetch_of(PageLink("/after.html"))
    note = "it ignores a rule after 500 KiB, as it may" if ignored else "it also obeys a rule after 500 KiB"
    return ClauseFinding(ClauseVerdict.OBEYS, note)


def judge_cache(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    """Judge a page that is allowed at first, and forbidden by the time a crawler can fetch it."""
    link = fixture.forbidden[0]
    late = recording.fetch_of(link)
    if late is None:
        changed = any(fetch.answer.body == fixture.rules[START] for fetch in recording.robots())
        finding = judge_pages(fixture, recording, token)
        if finding.verdict is ClauseVerdict.OBEYS and not changed:
            return not_tested(f"it never fetched {link.path}")
        return finding
    copies = [fetch for fetch in recording.robots() if fetch.done <= late.at]
    if not copies:
        return disobeys("it never read /robots.txt", late)
    if copies[-1].answer.body == fixture.rules[START]:
        return _disallowed_fetch(fixture, late, token)
    age = late.at - copies[-1].done
    if age <= _FRESH:
        return not_tested(f"it fetched {link.path} before its copy of robots.txt was stale")
    return disobeys(f"its copy of robots.txt was {age:.1f} s old, with max-age=1", late)


def follows_links(fixture: Fixture, recording: Recording) -> bool:
    """Return True if the crawler fetched a page of the fixture other than the start page."""
    links = {*fixture.controls, *fixture.forbidden, *fixture.allowed} - {START_PAGE}
    return any(recording.fetch_of(link) for link in links)


def _disallowed_fetch(fixture: Fixture, fetch: RecordedFetch, token: str) -> ClauseFinding:
    """Return the finding for a forbidden request, with the rule that forbids it."""
    rules = fixture.rules.get(fetch.authority, b"")
    linked = next((link for link in fixture.forbidden if fetch.key in link.keys), None)
    path = linked.path if linked else fetch.target
    rule = robots_verdict(RobotsTxt.parse(rules), token, path).rule
    if fixture.reason or rule is None:
        return disobeys(fixture.reason, fetch)
    if linked and fetch.key != linked.key:
        return disobeys(f"a wrong reading of the link {linked.path}, which line {rule.line} disallows", fetch)
    text = lines_of(rules)[rule.line - 1].strip(" \t")
    return ClauseFinding(ClauseVerdict.DISOBEYS, "", fetch, text, rule.line)


def _reason_untested(missed: list[PageLink], recording: Recording) -> str:
    if not recording.fetches:
        return "it fetched nothing" + _exit_note(recording)
    if not recording.pages:
        return "it fetched nothing after /robots.txt" + _exit_note(recording)
    return f"it never fetched {missed[0].path}{_port(missed[0])}, which is allowed" + _exit_note(recording)


def _port(link: PageLink) -> str:
    return "" if link.authority == START else f" on the {link.authority} port"


def _exit_note(recording: Recording) -> str:
    if recording.flooded:
        return " (it sent too many requests)"
    if recording.ending.stopped:
        return f" ({_stopped(recording)})"
    code = recording.ending.exit_code
    return f" (it ended with exit code {code})" if code else ""


def _unfinished(recording: Recording) -> str:
    return f"{_stopped(recording)} before it had finished; use a larger --seconds"


def _stopped(recording: Recording) -> str:
    return f"it was stopped after {recording.ending.seconds:.0f} s"
