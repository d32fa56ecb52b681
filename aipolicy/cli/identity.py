"""``aipolicy check identity``: is a client the crawler that its User-Agent declares, and why?"""

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, print_json, ranges_option, time_given
from aipolicy.core.crawlers import Crawler
from aipolicy.core.recognition import declared_crawlers
from aipolicy.errors import AIPolicyError, ResolverError

if TYPE_CHECKING:
    from aipolicy.check.identity import Evidence, Identities, Resolver

_AT_A_TIME = 32
_SHOWN = 60  # characters of what is no address


@dataclass(frozen=True, slots=True)
class _Client:
    address: str
    user_agent: str
    day: date


@click.command()
@click.argument("addresses", nargs=-1, required=True, metavar="IP...|-")
@click.option("--user-agent", metavar="UA", help="The User-Agent that the client sent.")
@click.option("--time", metavar="TIME", help="When it did (UTC unless it has a zone); else now.")
@click.option("--dns/--no-dns", default=True, show_default=True, help="Ask DNS where lists don't decide.")
@ranges_option
@json_option
@click.pass_context
def identity(
    ctx: click.Context,
    addresses: tuple[str, ...],
    user_agent: str | None,
    time: str | None,
    dns: bool,
    ranges: str | None,
    as_json: bool,
) -> None:
    """Tell whether a client is the crawler that its User-Agent declares, and why.

    \b
    aipolicy check identity 20.171.206.7 --user-agent 'GPTBot/1.2'
    aipolicy check identity 66.249.66.1 --user-agent 'Googlebot/2.1' --time 2026-10-01
    aipolicy check identity - < clients.jsonl

    An operator's published addresses decide as they were at that time, as far as is known; where they leave
    it open, a host name that leads back to the address. Where an operator publishes neither, nobody is called
    spoofed. A check that can't be made (DNS doesn't answer, the address is a proxy's) is check_failed.

    \b
    From stdin, a client a line, as JSON or parted by tabs:
    {"address": "20.171.206.7", "user_agent": "GPTBot/1.2", "time": "2026-10-01T00:00:00Z"}

    Exit codes: 0 nothing to object, 1 spoofed, 2 bad input.
    """
    from aipolicy.check.identity import Identities, Identity, ranges_in_force

    day = datetime.now(UTC).date() if time is None else _day("--time", time)
    clients = _clients(addresses, user_agent, day)
    identities = Identities(ranges_in_force(ranges)[0], _resolver() if dns else None)
    spoofed = False
    documents: list[dict[str, Any]] = []
    for client, found in _examined(identities, clients):
        spoofed |= any(evidence.identity is Identity.SPOOFED for _, evidence in found)
        if as_json:
            documents.append(_document(client, found))
        else:
            click.echo("\n".join(_lines(client, found)))
    if as_json:
        print_json(documents)
    ctx.exit(1 if spoofed else 0)


_Found = list[tuple[Crawler, "Evidence"]]


def _examined(identities: "Identities", clients: Iterable[_Client]) -> Iterator[tuple[_Client, _Found]]:
    def examined(client: _Client) -> _Found:
        return [
            (crawler, identities.evidence(crawler.product_token, client.address, client.day))
            for crawler in declared_crawlers(client.user_agent)
        ]

    with ThreadPoolExecutor(_AT_A_TIME) as threads:  # DNS is waited for
        clients = iter(clients)
        while some := tuple(islice(clients, _AT_A_TIME)):
            yield from zip(some, threads.map(examined, some), strict=True)


def _resolver() -> "Resolver":
    from aipolicy.check.identity import Resolver

    try:
        return Resolver()
    except ResolverError:  # this machine has no name servers: where one is needed, that is said
        return Resolver(nameservers=[])


def _clients(addresses: tuple[str, ...], user_agent: str | None, day: date) -> Iterator[_Client]:
    from aipolicy.check.identity.addresses import read_address

    if "-" in addresses:
        if len(addresses) > 1:
            raise AIPolicyError("- is standard input, which has the addresses: give no others")
        return _read(user_agent, day)
    if user_agent is None:
        raise AIPolicyError("nothing says whom the client claims to be: give --user-agent")
    for address in addresses:
        if read_address(address) is None:
            raise AIPolicyError(f"{address!r} is no IP address: give one like 192.0.2.1 or 2001:db8::1")
    return iter([_Client(address, user_agent, day) for address in addresses])


def _read(user_agent: str | None, day: date) -> Iterator[_Client]:
    """The clients on stdin. Raises AIPolicyError naming the line."""
    for number, octets in enumerate(sys.stdin.buffer, 1):
        line = octets.decode("utf-8", "replace").rstrip("\r\n")
        if not line.strip():
            continue
        where = f"line {number} of standard input"
        try:
            given = json.loads(line) if line.startswith("{") else _tabbed(line)
            address, agent = given["address"], given.get("user_agent", user_agent)
            if not isinstance(address, str) or not isinstance(agent, str):
                raise TypeError
            its_day = _day("time", str(given["time"])) if given.get("time") else day
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error) if isinstance(error, AIPolicyError) else "it names no address and User-Agent"
            cure = "write it like the address, a tab and the User-Agent, or as JSON"
            raise AIPolicyError(f"{where}: {reason}: {cure}") from None
        yield _Client(address, agent, its_day)


def _tabbed(line: str) -> dict[str, str]:
    return dict(zip(("address", "user_agent", "time"), line.split("\t"), strict=False))


def _day(option: str, text: str) -> date:
    return time_given(option, text).astimezone(UTC).date()


def _lines(client: _Client, found: _Found) -> Iterator[str]:
    from aipolicy.check.identity.words import needed, why

    if not found:
        yield f"{_shown(client.address)}: the User-Agent declares no crawler of the table"
    for crawler, evidence in found:
        claim = f"{_shown(client.address)} as {crawler.product_token} of {crawler.operator}"
        yield f"{claim}, {evidence.day}: {evidence.identity}"
        for sentence in why(crawler, evidence):
            yield f"  {sentence}"
        if (lacking := needed(crawler, evidence)) is not None:
            yield f"  needed: {lacking}"


def _shown(address: str) -> str:
    """An address for a terminal; what stands there instead may be anything."""
    from aipolicy.check.identity.addresses import read_address

    client = read_address(address)
    return repr(address[:_SHOWN]) if client is None else str(client.value)


def _document(client: _Client, found: _Found) -> dict[str, Any]:
    return {
        "address": client.address,
        "user_agent": client.user_agent,
        "day": client.day.isoformat(),
        "crawlers": [_crawler(crawler, evidence) for crawler, evidence in found],
    }


def _crawler(crawler: Crawler, evidence: "Evidence") -> dict[str, Any]:
    from aipolicy.check.identity.words import needed, why

    trace = evidence.trace
    return {
        "product_token": crawler.product_token,
        "operator": crawler.operator,
        "identity": str(evidence.identity),
        "why": why(crawler, evidence),
        "needed": needed(crawler, evidence),
        "lists": [
            {
                "urls": list(match.published.urls),
                "prefix": str(match.prefix),
                "read": match.published.date.isoformat(),
                "source": match.published.source,
                "came_after": _iso(match.published.came),
                "gone_by": _iso(match.published.gone),
                "counts": match.counts,
            }
            for match in evidence.matches[:_AT_A_TIME]
        ],
        "dns": None
        if trace is None
        else {
            "host_name": trace.answer if isinstance(trace.answer, str) else None,
            "error": str(trace.answer) if isinstance(trace.answer, ResolverError) else None,
            "host_names": list(trace.names),
            "led_to": {
                name: None if isinstance(led, ResolverError) else list(led) for name, led in trace.led
            },
        },
    }


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
