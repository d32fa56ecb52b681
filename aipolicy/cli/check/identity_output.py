"""Who clients are, and why: examined, and shown as lines or as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

from aipolicy.core.crawlers import Crawler
from aipolicy.core.user_agent import declared_crawlers
from aipolicy.errors import ResolverError

if TYPE_CHECKING:
    from aipolicy.identity import Identity, IdentityChecker, IdentityEvidence
    from aipolicy.identity.identity_checker import PrefixMatch
    from aipolicy.identity.signatures import SignatureResult

_AT_A_TIME = 32
_SHOWN = 60  # characters of what is no address


@dataclass(frozen=True, slots=True)
class Client:
    """``address`` is None where only a request was given; ``signatures`` are that one's, None: it wasn't."""

    address: str | None
    user_agent: str
    day: date
    signatures: "tuple[SignatureResult, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Identified:
    """What a client is that declares ``crawler``; ``evidence`` is None where there is no address."""

    crawler: Crawler
    identity: "Identity"
    why: list[str]
    needed: str | None
    evidence: "IdentityEvidence | None"


def examined(
    identities: "IdentityChecker", clients: Iterable[Client]
) -> Iterator[tuple[Client, list[Identified]]]:
    """Each client, and what it is for each crawler that it declares; several at a time, for DNS is slow."""

    def found(client: Client) -> list[Identified]:
        crawlers = declared_crawlers(client.user_agent)
        return [_identified(identities, client, crawler) for crawler in crawlers]

    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        clients = iter(clients)
        while some := tuple(islice(clients, _AT_A_TIME)):
            yield from zip(some, threads.map(found, some), strict=True)


def _identified(identities: "IdentityChecker", client: Client, crawler: Crawler) -> Identified:
    from aipolicy.identity import Identity
    from aipolicy.identity.explain import needed, why
    from aipolicy.identity.signature_evidence import signature_evidence, stronger_identity

    if client.address is None:
        identity, reasons, evidence, lacking = Identity.UNVERIFIABLE, ["no address was given"], None, None
    else:
        evidence = identities.evidence(
            crawler.product_token,
            client.address,
            client.day,
            signatures=client.signatures is not None,
        )
        identity, reasons, lacking = (
            evidence.identity,
            why(crawler, evidence),
            needed(crawler, evidence),
        )
    if client.signatures:
        from aipolicy.identity.signatures import Agents

        signed = signature_evidence(crawler, client.signatures, Agents())
        identity = identity if signed is None else stronger_identity(identity, signed.identity)
    if identity in (Identity.VERIFIED, Identity.OPERATOR_VERIFIED):
        lacking = None
    elif crawler.web_bot_auth:
        lacking = f"{lacking}, or " if lacking else ""
        lacking += f"a signature by {crawler.web_bot_auth}"
    return Identified(crawler, identity, reasons, lacking, evidence)


def lines(client: Client, found: Iterable[Identified]) -> Iterator[str]:
    """For people."""
    found = tuple(found)
    address = _shown(client.address)
    if client.signatures is not None:
        yield from _signatures(client.signatures)
    if not found:
        yield f"{address}: the User-Agent declares no crawler of the table"
    for each in found:
        claim = f"{address} as {each.crawler.product_token} of {each.crawler.operator}"
        yield f"{claim}, {client.day}: {each.identity}"
        for sentence in each.why:
            yield f"  {sentence}"
        if each.needed is not None:
            yield f"  needed: {each.needed}"


def _signatures(signatures: "Sequence[SignatureResult]") -> Iterator[str]:
    from aipolicy.identity.signatures.verifier import UNSIGNED

    for signature in signatures or (UNSIGNED,):
        yield f"signature: {signature.outcome}"
        tokens = ", ".join(_signers(signature)) or "no crawler of the table"
        yield f"  {signature.reason}" + (f"; {signature.agent} signs for {tokens}" if signature.agent else "")


def _signers(signature: "SignatureResult") -> list[str]:
    """The product tokens that the signature stands for, as far as it verifies."""
    from aipolicy.identity.signatures import Agents

    return sorted(Agents().signs_for(signature.directory or ""))


def _shown(address: str | None) -> str:
    """An address for a terminal; what stands there instead may be anything."""
    from aipolicy.identity.addresses import read_address

    if address is None:
        return "a client"
    client = read_address(address)
    return repr(address[:_SHOWN]) if client is None else str(client.value)


def document(client: Client, found: Iterable[Identified]) -> dict[str, Any]:
    """For programs."""
    return {
        "address": client.address,
        "user_agent": client.user_agent,
        "day": client.day.isoformat(),
        "signatures": None if client.signatures is None else list(map(_signature, client.signatures)),
        "crawlers": [_crawler(each) for each in found],
    }


def _signature(signature: "SignatureResult") -> dict[str, Any]:
    return {
        "outcome": str(signature.outcome),
        "reason": signature.reason,
        "agent": signature.agent,
        "keyid": signature.keyid,
        "signs_for": _signers(signature),
    }


def _crawler(found: Identified) -> dict[str, Any]:
    evidence = found.evidence
    return {
        "product_token": found.crawler.product_token,
        "operator": found.crawler.operator,
        "identity": str(found.identity),
        "why": found.why,
        "needed": found.needed,
        "lists": [] if evidence is None else list(_lists(evidence)),
        "proxy": None if evidence is None or evidence.proxy is None else _proxy(evidence.proxy),
        "dns": None if evidence is None else _dns(evidence),
    }


def _lists(evidence: "IdentityEvidence") -> Iterator[dict[str, Any]]:
    for match in evidence.matches[:_AT_A_TIME]:
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
            name: None if isinstance(led, ResolverError) else list(led) for name, led in trace.resolved
        },
    }
