"""``aipolicy check identity``: is a client the crawler that its User-Agent declares, and why?"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.check.identity_output import Client, document, examined, lines
from aipolicy.cli.options import json_option, print_json, ranges_option, time_given
from aipolicy.errors import AIPolicyError, ResolverError

if TYPE_CHECKING:
    from aipolicy.identity import Resolver
    from aipolicy.identity.signatures import SignedRequest


@click.command()
@click.argument("addresses", nargs=-1, metavar="[IP...|-]")
@click.option("--user-agent", metavar="UA", help="The User-Agent that the client sent.")
@click.option("--request", metavar="FILE|-", help="The request that it sent, group_of signature counts, too.")
@click.option("--time", metavar="TIME", help="When it did (UTC unless it has a zone); else now.")
@click.option("--dns/--no-dns", default=True, show_default=True, help="Ask DNS where lists don't decide.")
@ranges_option
@json_option
@click.pass_context
def identity(
    ctx: click.Context,
    addresses: tuple[str, ...],
    user_agent: str | None,
    request: str | None,
    time: str | None,
    dns: bool,
    ranges: str | None,
    as_json: bool,
) -> None:
    """Tell whether a client is the crawler that its User-Agent declares, and why.

    \b
    aipolicy check identity 20.171.206.7 --user-agent 'GPTBot/1.2'
    aipolicy check identity 66.249.66.1 --user-agent 'Googlebot/2.1' --time 2026-10-01
    aipolicy check identity 203.0.113.7 --request request.txt
    aipolicy check identity - < clients.jsonl

    An operator's published addresses decide as they were at that time, as far as is known; where they leave
    it open, a host name that leads back to the address. Where an operator publishes neither, nobody is called
    spoofed. A check that can't be made (DNS doesn't answer, the address is a proxy's) is check_failed.

    A request's head, as it was sent over HTTPS, has the User-Agent and perhaps a Web Bot Auth signature: the
    keys that it names are read from where they are published.

    \b
    From stdin, a client a line, as JSON or parted by tabs:
    {"address": "20.171.206.7", "user_agent": "GPTBot/1.2", "time": "2026-10-01T00:00:00Z"}

    Exit codes: 0 nothing to object, 1 spoofed, 2 bad input.
    """
    from aipolicy.identity import Identity, IdentityChecker, ranges_in_force

    when = datetime.now(UTC) if time is None else time_given("--time", time)
    if request is not None:
        clients = iter([_sender(request, addresses, user_agent, when)])
    else:
        clients = _clients(addresses, user_agent, _day(when))
    identities = IdentityChecker(ranges_in_force(ranges)[0], _resolver() if dns else None)
    spoofed = False
    documents: list[dict[str, Any]] = []
    for client, found in examined(identities, clients):
        spoofed |= any(each.identity is Identity.SPOOFED for each in found)
        if as_json:
            documents.append(document(client, found))
        else:
            click.echo("\n".join(lines(client, found)))
    if as_json:
        print_json(documents)
    ctx.exit(1 if spoofed else 0)


def _resolver() -> "Resolver":
    from aipolicy.identity import Resolver

    try:
        return Resolver()
    except ResolverError:  # this machine has no name servers: where one is needed, that is said
        return Resolver(nameservers=[])


def _day(when: datetime) -> date:
    return when.astimezone(UTC).date()


def _sender(name: str, addresses: tuple[str, ...], user_agent: str | None, when: datetime) -> Client:
    from aipolicy.identity.signature_evidence import verify_signatures

    if len(addresses) > 1 or "-" in addresses:
        raise AIPolicyError("--request is of one client: give its address alone, or none")
    for address in addresses:
        _require_address(address)
    request = _read_request(name)
    agent = request.field("user-agent") if user_agent is None else user_agent
    signatures = verify_signatures(request, clock=when.timestamp)
    return Client(addresses[0] if addresses else None, agent or "", _day(when), signatures)


def _read_request(name: str) -> "SignedRequest":
    from aipolicy.identity.signatures.request import MAX_REQUEST_BYTES, parse_request

    fix = "give a request's head, from its first line on"
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_REQUEST_BYTES + 1)
        if len(raw) > MAX_REQUEST_BYTES:
            raise ValueError(f"it is longer than {MAX_REQUEST_BYTES} bytes")
        return parse_request(raw)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AIPolicyError(f"--request {name!r} can't be read ({reason}): {fix}") from None


def _require_address(text: str) -> None:
    from aipolicy.identity.addresses import read_address

    if read_address(text) is None:
        raise AIPolicyError(f"{text!r} is no IP address: give one like 192.0.2.1 or 2001:db8::1")


def _clients(addresses: tuple[str, ...], user_agent: str | None, day: date) -> Iterator[Client]:
    if not addresses:
        raise AIPolicyError(
            "nothing says who it is about: give an address, - for standard input, or --request"
        )
    if "-" in addresses:
        if len(addresses) > 1:
            raise AIPolicyError("- is standard input, which has the addresses: give no others")
        return _read(user_agent, day)
    if user_agent is None:
        raise AIPolicyError("nothing says whom the client claims to be: give --user-agent")
    for address in addresses:
        _require_address(address)
    return iter([Client(address, user_agent, day) for address in addresses])


def _read(user_agent: str | None, day: date) -> Iterator[Client]:
    """The clients on stdin. Raises AIPolicyError naming the line."""
    for number, octets in enumerate(sys.stdin.buffer, 1):
        line = octets.decode("utf-8", "replace").rstrip("\r\n")
        if not line.strip():
            continue
        try:
            given = json.loads(line) if line.startswith("{") else _tabbed(line)
            address, agent = given["address"], given.get("user_agent", user_agent)
            if not isinstance(address, str) or not isinstance(agent, str):
                raise TypeError
            its_day = _day(time_given("time", str(given["time"]))) if given.get("time") else day
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error) if isinstance(error, AIPolicyError) else "it names no address and User-Agent"
            fix = "write it like the address, a tab and the User-Agent, or as JSON"
            raise AIPolicyError(f"line {number} of standard input: {reason}: {fix}") from None
        yield Client(address, agent, its_day)


def _tabbed(line: str) -> dict[str, str]:
    return dict(zip(("address", "user_agent", "time"), line.split("\t"), strict=False))
