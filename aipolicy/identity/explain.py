"""The reasons for a client's identity, as sentences without a full stop."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from aipolicy.core.crawlers import Crawler
from aipolicy.errors import ResolverError
from aipolicy.identity.identity_checker import IdentityEvidence, PrefixMatch
from aipolicy.identity.operator_lists import LIST_MARGIN, LIST_MAX_AGE, AddressList
from aipolicy.identity.proxies import HEADERS
from aipolicy.identity.published_checks import Identity

_MAX_NAMED = 3
_VERIFIED = (Identity.VERIFIED, Identity.OPERATOR_VERIFIED)


def why(crawler: Crawler, evidence: IdentityEvidence) -> list[str]:
    """Return the reasons for the identity, the strongest first."""
    return list(_why(crawler, evidence))


def needed(crawler: Crawler, evidence: IdentityEvidence) -> str | None:
    """Return the missing proof; None if the client is verified, or can't be."""
    check, client = evidence.check, evidence.client
    if evidence.identity in _VERIFIED or not check.published:
        return None
    if evidence.proxy is not None:
        operator = evidence.proxy.published.operator
        header = HEADERS.get(operator, "X-Forwarded-For")
        return f"the client's own address, which {operator} sends in {header}"
    if client is None or client.behind_a_proxy or client.masked:
        return "the client's own, complete address"
    ways = []
    if crawler.ranges:
        ways.append(f"an address in {_join(crawler.ranges, 'or')}")
    if check.suffixes:
        ways.append(f"a host name under {_join(check.suffixes, 'or')} that resolves back to the address")
    return ", or ".join(ways)


def _why(crawler: Crawler, evidence: IdentityEvidence) -> Iterator[str]:
    check, client = evidence.check, evidence.client
    if not check.published:
        yield f"{crawler.operator} publishes neither addresses nor host names for {crawler.product_token}"
        return
    if client is None:
        yield "the address is missing or invalid"
        return
    if client.behind_a_proxy:
        yield f"{client.value} is a private address: a proxy's in front of the server, not the client's"
        return
    if evidence.proxy is not None:
        published = evidence.proxy.published
        source = f"{_join(published.urls, 'and')}, read on {published.date}{_copy(published)}"
        operator = published.operator
        yield f"{client.value} belongs to a proxy of {operator}, not to the client: it is in {source}"
        return
    if client.masked:
        yield f"{client.value} seems masked: it may stand for any address up to {client.last_value}"
    elif not client.public:
        yield f"{client.value} is an address that no client on the Internet can have"
    matches = evidence.matches
    yield from (_match(match, evidence) for match in matches[:_MAX_NAMED])
    if evidence.identity is Identity.OPERATOR_VERIFIED and matches:
        tokens = sorted({token for match in matches if match.counts for token in match.published.tokens})
        users = ", ".join(tokens)
        yield f"the operator's lists don't say which crawler it is; these use the address: {users}"
    if not matches:
        yield from _unlisted(crawler, evidence)
    if evidence.identity not in _VERIFIED or not any(match.counts for match in matches):
        yield from _dns(crawler, evidence)


def _match(match: PrefixMatch, evidence: IdentityEvidence) -> str:
    published = match.published
    urls = _join(published.urls, "and")
    read = f"read on {published.date}{_copy(published)}"
    if match.counts and published.gone is None:
        since = f", and was not in it on {published.came}" if published.came else ""
        return f"{match.prefix} is in {urls}, {read}{_distance(published.date, evidence.day)}{since}"
    if match.counts or (published.gone is not None and published.gone < evidence.day):
        gone = published.gone or published.date
        unknown = "" if match.counts else "; its user since then is not known"
        return f"{match.prefix} was in {urls}, {read}, until {gone}{_distance(gone, evidence.day)}{unknown}"
    came = published.came or published.date
    distance = _distance(came, evidence.day)
    return f"{match.prefix} was added to {urls} after {came}{distance}; its user before then is not known"


def _unlisted(crawler: Crawler, evidence: IdentityEvidence) -> Iterator[str]:
    current = [each for each in evidence.check.lists if each.gone is None]
    if current:
        oldest, newest = min(each.date for each in current), max(each.date for each in current)
        days = f"on {newest}" if oldest == newest else f"between {oldest} and {newest}"
        count = len({url for each in current for url in each.urls})
        lists = "list" if count == 1 else f"{count} lists"
        distance = _distance(newest, evidence.day)
        yield f"the address is not in the known {lists} of {crawler.operator}, read {days}{distance}"
    for url in crawler.ranges:
        copies = [each for each in current if url in each.urls]
        valid = [each for each in copies if each.superseded is None]
        if not copies:
            yield f"{url} was never read and may contain the address; run `aipolicy crawlers update`"
        elif not valid:
            superseded = max(each.superseded or each.date for each in copies)
            yield f"{url} has changed on {superseded} and may contain the address now"
        elif (first := min(each.since for each in valid)) - evidence.day > LIST_MARGIN:
            older = max(((each.date, each.superseded) for each in copies if each.since < first), default=None)
            before = (
                "first" if older is None else f"read on {older[0]}, had changed by {older[1]}, and was next"
            )
            distance = _distance(first, evidence.day)
            yield f"{url} was {before} read on {first}{distance}, and may have been different before"
        elif evidence.day - (last := max(each.date for each in valid)) > LIST_MAX_AGE:
            fix = "run `aipolicy crawlers update`"
            yield f"{url} was last read on {last} and may contain the address now; {fix}"


def _dns(crawler: Crawler, evidence: IdentityEvidence) -> Iterator[str]:
    check, trace = evidence.check, evidence.trace
    if not check.suffixes:
        return
    if trace is None:
        if not evidence.asks_dns:
            yield "DNS was not asked for the address's host name, which may verify the client (--dns)"
        return
    if isinstance(trace.answer, ResolverError):
        yield f"DNS failed: {trace.answer}"
        return
    if trace.answer is not None:
        yield f"its host name {trace.answer} resolves back to {evidence.client and evidence.client.value}"
        return
    if not trace.names:
        yield "DNS has no host name for the address"
    elif not trace.resolved:
        others = " and others" if trace.more or len(trace.names) > _MAX_NAMED else ""
        names = ", ".join(trace.names[:_MAX_NAMED]) + others
        yield f"its host name {names} is not under {_join(check.suffixes, 'or')}"
    for name, found in trace.resolved[:_MAX_NAMED]:
        addresses = str(found) if isinstance(found, ResolverError) else ", ".join(found) or "no address"
        anyone = "anyone can give an address such a name"
        yield f"its host name {name} resolves to {addresses}, not back: {anyone}"
    if evidence.today - evidence.day > LIST_MARGIN:
        yield f"DNS answers for {evidence.today}, which proves nothing against a client of {evidence.day}"


def _copy(published: AddressList) -> str:
    return "" if published.source in published.urls else f" (a copy: {published.source})"


def _distance(reading: date, day: date) -> str:
    days = (day - reading).days
    if abs(days) <= LIST_MARGIN.days:
        return ""
    return f", {abs(days)} days {'before' if days > 0 else 'after'} {day}"


def _join(names: Iterable[str], word: str) -> str:
    listed: Sequence[str] = tuple(names)
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {word} {listed[-1]}"
