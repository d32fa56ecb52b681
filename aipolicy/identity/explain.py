"""Why a client is who it is said to be: sentences, without a full stop."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from aipolicy.core.crawlers import Crawler
from aipolicy.errors import ResolverError
from aipolicy.identity.evidence import Evidence, Match
from aipolicy.identity.operator_lists import LONG, NEAR, AddressList
from aipolicy.identity.proxies import HEADERS
from aipolicy.identity.published_checks import Identity

_NAMED = 3
_ANSWERED = (Identity.VERIFIED, Identity.OPERATOR_VERIFIED)


def why(crawler: Crawler, evidence: Evidence) -> list[str]:
    """What the identity rests on, the weightiest first."""
    return list(_why(crawler, evidence))


def needed(crawler: Crawler, evidence: Evidence) -> str | None:
    """What would have verified the client; None where it is verified, or nothing could."""
    check, client = evidence.check, evidence.client
    if evidence.identity in _ANSWERED or not check.published:
        return None
    if evidence.proxy is not None:
        header = HEADERS.get(evidence.proxy.published.operator, "X-Forwarded-For")
        return f"the client's own address, as {evidence.proxy.published.operator} passes it on in {header}"
    if client is None or client.behind_a_proxy or client.masked:
        return "the client's own address, whole"
    ways = []
    if crawler.ranges:
        ways.append(f"an address in {_some(crawler.ranges, 'or')}")
    if check.suffixes:
        ways.append(f"a host name under {_some(check.suffixes, 'or')} that leads back to the address")
    return ", or ".join(ways)


def _why(crawler: Crawler, evidence: Evidence) -> Iterator[str]:
    check, client = evidence.check, evidence.client
    if not check.published:
        yield f"{crawler.operator} publishes neither addresses nor host names for {crawler.product_token}"
        return
    if client is None:
        yield "what stands for the address is none"
        return
    if client.behind_a_proxy:
        yield f"{client.value} is private: a proxy's in front of the server, not the client's"
        return
    if evidence.proxy is not None:
        published = evidence.proxy.published
        where = f"{_some(published.urls, 'and')}, read on {published.date}{_copied(published)}"
        yield f"{client.value} is a proxy's of {published.operator}, not the client's: it is in {where}"
        return
    if client.masked:
        yield f"{client.value} seems masked: it may stand for any address up to {client.last_value}"
    elif not client.public:
        yield f"{client.value} is an address that no client can have"
    matches = evidence.matches
    yield from (_match(match, evidence) for match in matches[:_NAMED])
    if evidence.identity is Identity.OPERATOR_VERIFIED and matches:
        tokens = sorted({token for match in matches if match.counts for token in match.published.tokens})
        yield f"which of its operator's crawlers it is can't be told: {_some(tokens, 'and')} come from there"
    if not matches:
        yield from _unlisted(crawler, evidence)
    if evidence.identity not in _ANSWERED or not any(match.counts for match in matches):
        yield from _dns(crawler, evidence)


def _match(match: Match, evidence: Evidence) -> str:
    published = match.published
    where = _some(published.urls, "and")
    read = f"read on {published.date}{_copied(published)}"
    if match.counts and published.gone is None:
        since = f", and not in it on {published.came}" if published.came else ""
        return f"{match.prefix} is in {where}, {read}{_far(published.date, evidence.day)}{since}"
    if match.counts or (published.gone is not None and published.gone < evidence.day):
        gone = published.gone or published.date
        unknown = "" if match.counts else ": who has had it since isn't known"
        return f"{match.prefix} was in {where}, {read}, until {gone}{_far(gone, evidence.day)}{unknown}"
    came = published.came or published.date
    unknown = "who had it before isn't known"
    return f"{match.prefix} came into {where} after {came}{_far(came, evidence.day)}: {unknown}"


def _unlisted(crawler: Crawler, evidence: Evidence) -> Iterator[str]:
    check = evidence.check
    current = [each for each in check.lists if each.gone is None]
    if current:
        oldest, newest = min(each.date for each in current), max(each.date for each in current)
        days = f"on {newest}" if oldest == newest else f"between {oldest} and {newest}"
        urls = {url for each in current for url in each.urls}
        which = (
            f"the list of {crawler.operator} that is"
            if len(urls) == 1
            else f"the {len(urls)} lists of {crawler.operator} that are"
        )
        yield f"the address is not in {which} known, read {days}{_far(newest, evidence.day)}"
    for url in crawler.ranges:
        its = [each for each in current if url in each.urls]
        fresh = [each for each in its if each.superseded is None]
        if not its:
            yield f"no copy of {url} is known: the address may be in it (aipolicy crawlers update reads it)"
        elif not fresh:
            superseded = max(each.superseded or each.date for each in its)
            yield f"{url} has changed since, on {superseded}: the address may be in it by now"
        elif (first := min(each.since for each in fresh)) - evidence.day > NEAR:
            older = max(((each.date, each.superseded) for each in its if each.since < first), default=None)
            before = (
                "first" if older is None else f"read on {older[0]}, had changed by {older[1]}, and was next"
            )
            far = _far(first, evidence.day)
            yield f"{url} was {before} read on {first}{far}: it may have been another then"
        elif evidence.day - (last := max(each.date for each in fresh)) > LONG:
            fix = "aipolicy crawlers update reads it anew"
            yield f"{url} was last read on {last}: the address may be in it by now ({fix})"


def _dns(crawler: Crawler, evidence: Evidence) -> Iterator[str]:
    check, trace = evidence.check, evidence.trace
    if not check.suffixes:
        return
    if trace is None:
        if not evidence.asks_dns:
            yield "DNS was not asked for the host name of the address, which may tell (--dns)"
        return
    if isinstance(trace.answer, ResolverError):
        yield f"DNS gave no answer that decides: {trace.answer}"
        return
    if trace.answer is not None:
        yield f"its host name {trace.answer} leads back to {evidence.client and evidence.client.value}"
        return
    names = (
        f"{', '.join(trace.names[:_NAMED])}{' and others' if trace.more or len(trace.names) > _NAMED else ''}"
    )
    if not trace.names:
        yield "DNS has no host name for the address"
    elif not trace.led:
        yield f"its host name {names} is not under {_some(check.suffixes, 'or')}"
    for name, led in trace.led[:_NAMED]:
        addresses = (
            "no address" if not led else str(led) if isinstance(led, ResolverError) else ", ".join(led)
        )
        yield f"its host name {name} leads to {addresses}, not back: anyone can give an address such a name"
    if evidence.today - evidence.day > NEAR:
        yield f"DNS tells of {evidence.today}: that says nothing against a client of {evidence.day}"


def _copied(published: AddressList) -> str:
    return "" if published.source in published.urls else f" (a copy: {published.source})"


def _far(reading: date, day: date) -> str:
    days = (day - reading).days
    if abs(days) <= NEAR.days:
        return ""
    return f", {abs(days)} days {'before' if days > 0 else 'after'} {day}"


def _some(names: Iterable[str], word: str) -> str:
    listed: Sequence[str] = tuple(names)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"
