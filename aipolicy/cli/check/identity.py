"""``aipolicy check identity``: verification of clients that declare a crawler in their User-Agent."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, parse_time, print_json, ranges_option
from aipolicy.core.crawlers import Crawler
from aipolicy.core.user_agent import declared_crawlers
from aipolicy.errors import AIPolicyError, ResolverError

# aipolicy.identity is imported where it is used: other commands must not wait for it.
if TYPE_CHECKING:
    from aipolicy.identity import Identity, IdentityChecker, IdentityEvidence, Resolver
    from aipolicy.identity.identity_checker import PrefixMatch
    from aipolicy.identity.signatures import SignatureResult, SignedRequest

_AT_ONCE = 32  # clients: DNS is slow
_MOST_LISTS = 32  # published lists in a JSON document
_LONGEST_ADDRESS = 60  # characters of a text that is not an address


@click.command()
@click.argument("addresses", nargs=-1, metavar="[IP...|-]")
@click.option("--user-agent", metavar="UA", help="User-Agent that the client sent.")
@click.option("--request", metavar="FILE|-", help="Request that the client sent, to verify its signature.")
@click.option("--time", metavar="TIME", help="Time of the request (UTC by default); now if left out.")
@click.option(
    "--dns/--no-dns", default=True, show_default=True, help="Query DNS if the published lists don't decide."
)
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
    """Check whether a client is the crawler that its User-Agent declares, and explain why.

    \b
    aipolicy check identity 20.171.206.7 --user-agent 'GPTBot/1.2'
    aipolicy check identity 66.249.66.1 --user-agent 'Googlebot/2.1' --time 2026-10-01
    aipolicy check identity 203.0.113.7 --request request.txt
    aipolicy check identity - < clients.jsonl

    The operator's published addresses at that time decide if they are known, otherwise a host name that
    resolves back to the address. If an operator publishes neither, no client is *spoofed*. A check that
    can't be made (DNS doesn't answer, or the address is a proxy's) gives *check_failed*.

    The head of a request, as it was sent over HTTPS, contains the User-Agent and perhaps a Web Bot Auth
    signature. Its keys are fetched from where they are published.

    \b
    Standard input has one client per line, as JSON or separated by tabs:
    {"address": "20.171.206.7", "user_agent": "GPTBot/1.2", "time": "2026-10-01T00:00:00Z"}

    Exit codes: 0 no client is spoofed, 1 spoofed clients, 2 invalid input.
    """
    from aipolicy.identity import Identity, IdentityChecker, ranges_in_force

    when = datetime.now(UTC) if time is None else parse_time("--time", time)
    if request is not None:
        clients = iter([_signing_client(request, addresses, user_agent, when)])
    else:
        clients = _clients(addresses, user_agent, _day(when))
    identities = IdentityChecker(ranges_in_force(ranges)[0], _resolver() if dns else None)
    spoofed = False
    documents: list[dict[str, Any]] = []
    for client, results in _check(identities, clients):
        spoofed |= any(result.identity is Identity.SPOOFED for result in results)
        if as_json:
            documents.append(_document(client, results))
        else:
            click.echo("\n".join(_lines(client, results)))
    if as_json:
        print_json(documents)
    ctx.exit(1 if spoofed else 0)


@dataclass(frozen=True, slots=True)
class _Client:
    """A client to check.

    Attributes:
        address: None if only a request is given.
        signatures: The signatures of the request; None if no request is given.
    """

    address: str | None
    user_agent: str
    day: date
    signatures: "tuple[SignatureResult, ...] | None" = None


@dataclass(frozen=True, slots=True)
class _Result:
    """The identity of a client that declares ``crawler``; ``evidence`` is None if the address is unknown."""

    crawler: Crawler
    identity: "Identity"
    why: list[str]
    needed: str | None
    evidence: "IdentityEvidence | None"


def _resolver() -> "Resolver":
    from aipolicy.identity import Resolver

    try:
        return Resolver()
    except ResolverError:  # this machine has no name servers; the result says so if one is needed
        return Resolver(nameservers=[])


def _day(when: datetime) -> date:
    return when.astimezone(UTC).date()


def _signing_client(name: str, addresses: tuple[str, ...], user_agent: str | None, when: datetime) -> _Client:
    from aipolicy.identity.signature_evidence import verify_signatures

    if len(addresses) > 1 or "-" in addresses:
        raise AIPolicyError("--request is from one client; give one address, or none")
    for address in addresses:
        _require_address(address)
    request = _read_request(name)
    agent = request.field("user-agent") if user_agent is None else user_agent
    signatures = verify_signatures(request, clock=when.timestamp)
    return _Client(addresses[0] if addresses else None, agent or "", _day(when), signatures)


def _read_request(name: str) -> "SignedRequest":
    from aipolicy.identity.signatures.request import MAX_REQUEST_BYTES, parse_request

    fix = "give the head of a request, from its first line on"
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            data = file.read(MAX_REQUEST_BYTES + 1)
        if len(data) > MAX_REQUEST_BYTES:
            raise ValueError(f"it is longer than {MAX_REQUEST_BYTES} bytes")
        return parse_request(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AIPolicyError(f"--request {name!r} can't be read ({reason}); {fix}") from None


def _require_address(text: str) -> None:
    from aipolicy.identity.addresses import read_address

    if read_address(text) is None:
        raise AIPolicyError(f"{text!r} is not an IP address; use one like 192.0.2.1 or 2001:db8::1")


def _clients(addresses: tuple[str, ...], user_agent: str | None, day: date) -> Iterator[_Client]:
    if not addresses:
        raise AIPolicyError("the client is missing; give an address, - for standard input, or --request")
    if "-" in addresses:
        if len(addresses) > 1:
            raise AIPolicyError("- reads the addresses from standard input; give no others")
        return _read_clients(user_agent, day)
    if user_agent is None:
        raise AIPolicyError("the User-Agent is missing; give --user-agent")
    for address in addresses:
        _require_address(address)
    return iter([_Client(address, user_agent, day) for address in addresses])


def _read_clients(user_agent: str | None, day: date) -> Iterator[_Client]:
    """Read clients from standard input; an AIPolicyError names the invalid line."""
    for number, data in enumerate(sys.stdin.buffer, 1):
        line = data.decode("utf-8", "replace").rstrip("\r\n")
        if not line.strip():
            continue
        try:
            fields = json.loads(line) if line.startswith("{") else _split(line)
            address, agent = fields["address"], fields.get("user_agent", user_agent)
            if not isinstance(address, str) or not isinstance(agent, str):
                raise TypeError
            client_day = _day(parse_time("time", str(fields["time"]))) if fields.get("time") else day
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error) if isinstance(error, AIPolicyError) else "address or User-Agent is missing"
            fix = "write the address, a tab and the User-Agent, or JSON"
            raise AIPolicyError(f"line {number} of standard input: {reason}; {fix}") from None
        yield _Client(address, agent, client_day)


def _split(line: str) -> dict[str, str]:
    return dict(zip(("address", "user_agent", "time"), line.split("\t"), strict=False))


def _check(
    identities: "IdentityChecker", clients: Iterable[_Client]
) -> Iterator[tuple[_Client, list[_Result]]]:
    """Yield each client with a result for each crawler that it declares, several clients at a time."""
    from concurrent.futures import ThreadPoolExecutor

    def results(client: _Client) -> list[_Result]:
        crawlers = declared_crawlers(client.user_agent)
        return [_identify(identities, client, crawler) for crawler in crawlers]

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        clients = iter(clients)
        while batch := tuple(islice(clients, _AT_ONCE)):
            yield from zip(batch, threads.map(results, batch), strict=True)


def _identify(identities: "IdentityChecker", client: _Client, crawler: Crawler) -> _Result:
    from aipolicy.identity import Identity
    from aipolicy.identity.explain import needed, why
    from aipolicy.identity.signature_evidence import signature_evidence, stronger_identity

    if client.address is None:
        identity, reasons, evidence, missing = Identity.UNVERIFIABLE, ["no address was given"], None, None
    else:
        evidence = identities.evidence(
            crawler.product_token, client.address, client.day, signatures=client.signatures is not None
        )
        identity, reasons, missing = evidence.identity, why(crawler, evidence), needed(crawler, evidence)
    if client.signatures:
        from aipolicy.identity.signatures import Agents

        signed = signature_evidence(crawler, client.signatures, Agents())
        identity = identity if signed is None else stronger_identity(identity, signed.identity)
    if identity in (Identity.VERIFIED, Identity.OPERATOR_VERIFIED):
        missing = None
    elif crawler.web_bot_auth:
        signature = f"a signature by {crawler.web_bot_auth}"
        missing = f"{missing}, or {signature}" if missing else signature
    return _Result(crawler, identity, reasons, missing, evidence)


def _lines(client: _Client, results: Sequence[_Result]) -> Iterator[str]:
    """Yield the results in words."""
    address = _printable(client.address)
    if client.signatures is not None:
        yield from _signature_lines(client.signatures)
    if not results:
        yield f"{address}: the User-Agent declares no crawler in the table"
    for result in results:
        claim = f"{address} as {result.crawler.product_token} of {result.crawler.operator}"
        yield f"{claim}, {client.day}: {result.identity}"
        for sentence in result.why:
            yield f"  {sentence}"
        if result.needed is not None:
            yield f"  needed: {result.needed}"


def _signature_lines(signatures: "Sequence[SignatureResult]") -> Iterator[str]:
    from aipolicy.identity.signatures.verifier import UNSIGNED

    for signature in signatures or (UNSIGNED,):
        yield f"signature: {signature.outcome}"
        tokens = ", ".join(_signers(signature)) or "no crawler in the table"
        yield f"  {signature.reason}" + (f"; {signature.agent} signs for {tokens}" if signature.agent else "")


def _signers(signature: "SignatureResult") -> list[str]:
    """Return the product tokens that a valid signature stands for."""
    from aipolicy.identity.signatures import Agents

    return sorted(Agents().signs_for(signature.directory or ""))


def _printable(address: str | None) -> str:
    """Return an address for a terminal; text that is not an address may be hostile."""
    from aipolicy.identity.addresses import read_address

    if address is None:
        return "a client"
    client = read_address(address)
    return repr(address[:_LONGEST_ADDRESS]) if client is None else str(client.value)


def _document(client: _Client, results: Iterable[_Result]) -> dict[str, Any]:
    """Return the results as JSON."""
    return {
        "address": client.address,
        "user_agent": client.user_agent,
        "day": client.day.isoformat(),
        "signatures": None if client.signatures is None else list(map(_signature, client.signatures)),
        "crawlers": [_crawler(result) for result in results],
    }


def _signature(signature: "SignatureResult") -> dict[str, Any]:
    return {
        "outcome": str(signature.outcome),
        "reason": signature.reason,
        "agent": signature.agent,
        "keyid": signature.keyid,
        "signs_for": _signers(signature),
    }


def _crawler(result: _Result) -> dict[str, Any]:
    evidence = result.evidence
    return {
        "product_token": result.crawler.product_token,
        "operator": result.crawler.operator,
        "identity": str(result.identity),
        "why": result.why,
        "needed": result.needed,
        "lists": [] if evidence is None else list(_lists(evidence)),
        "proxy": None if evidence is None or evidence.proxy is None else _proxy(evidence.proxy),
        "dns": None if evidence is None else _dns(evidence),
    }


def _lists(evidence: "IdentityEvidence") -> Iterator[dict[str, Any]]:
    for match in evidence.matches[:_MOST_LISTS]:
        published = match.published
        yield {
            "urls": list(published.urls),
            "prefix": str(match.prefix),
            "read": published.date.isoformat(),
            "source": published.source,
            "came_after": None if published.came is None else published.came.isoformat(),
            "gone_by": None if published.gone is None else published.gone.isoformat(),
            "counts": match.counts,
        }


def _proxy(match: "PrefixMatch") -> dict[str, Any]:
    published = match.published
    return {
        "operator": published.operator,
        "urls": list(published.urls),
        "read": published.date.isoformat(),
        "source": published.source,
    }


def _dns(evidence: "IdentityEvidence") -> dict[str, Any] | None:
    trace = evidence.trace
    if trace is None:
        return None
    failed = isinstance(trace.answer, ResolverError)
    return {
        "host_name": None if failed else trace.answer,
        "error": str(trace.answer) if failed else None,
        "host_names": list(trace.names),
        "led_to": {
            name: None if isinstance(found, ResolverError) else list(found) for name, found in trace.resolved
        },
    }
