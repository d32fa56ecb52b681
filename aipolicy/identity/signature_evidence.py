"""The evidence that a request's signatures give about a client."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from aipolicy.core.crawlers import Crawler, crawler_named
from aipolicy.identity.published_checks import Identity

if TYPE_CHECKING:
    from aipolicy.identity.signatures import Agents, SignatureResult, SignedRequest
    from aipolicy.web.fetcher import Fetcher

# A check that could not be made comes before one that failed: it might have succeeded.
_PRECEDENCE = (
    Identity.VERIFIED,
    Identity.OPERATOR_VERIFIED,
    Identity.CHECK_FAILED,
    Identity.SPOOFED,
    Identity.UNVERIFIABLE,
)


class SignatureEvidence(NamedTuple):
    """The strongest signature made in the name of a crawler's operator.

    Attributes:
        identity: The identity that it proves.
        counts: True if it was made for that very crawler.
        reason: The reason, for people.
        result: The result of the signature.
        pending: Directories that have not been read yet and may change the answer.
    """

    identity: Identity
    counts: bool
    reason: str
    result: "SignatureResult"
    pending: frozenset[str]


def signature_evidence(
    crawler: Crawler, results: "Iterable[SignatureResult]", agents: "Agents"
) -> SignatureEvidence | None:
    """Return the evidence of the signatures made in the name of the crawler's operator; None without any.

    Signatures by others say nothing about this crawler. A CDN or proxy may have signed the request too, so
    every signature is considered, in any position.
    """
    from aipolicy.identity.signatures import SignatureOutcome

    found: list[SignatureEvidence] = []
    pending: set[str] = set()
    for result in results:
        tokens = agents.signs_for(result.directory or "")
        if not any(_operator(token) == crawler.operator for token in tokens):
            continue
        identity, reason = _identity(result), result.reason
        counts = identity is Identity.VERIFIED and crawler.product_token in tokens
        if counts:
            reason = f"it signs as {result.agent}"
        elif identity is Identity.VERIFIED:
            identity, reason = Identity.OPERATOR_VERIFIED, f"it signs as another crawler, {result.agent}"
        if result.outcome is SignatureOutcome.UNVERIFIED and result.fetch is not None:
            pending.add(result.fetch)
        found.append(SignatureEvidence(identity, counts, reason, result, frozenset()))
    if not found:
        return None
    strongest = min(found, key=lambda each: _PRECEDENCE.index(each.identity))
    return strongest._replace(pending=frozenset(pending))


def _operator(product_token: str) -> str | None:
    crawler = crawler_named(product_token)
    return None if crawler is None else crawler.operator


def stronger_identity(one: Identity, other: Identity) -> Identity:
    """Return the identity that two checks of one client, by address and by signature, give together."""
    return min(one, other, key=_PRECEDENCE.index)


def _identity(result: "SignatureResult") -> Identity:
    """Return *spoofed* only if the key is known and did not make the signature.

    A genuine crawler's signature too can be expired, cover too little or use unsupported features.
    """
    from aipolicy.identity.signatures import SignatureOutcome

    if result.outcome is SignatureOutcome.VERIFIED:
        return Identity.VERIFIED
    if result.forged:
        return Identity.SPOOFED
    return Identity.CHECK_FAILED if result.unread else Identity.UNVERIFIABLE


def verify_signatures(
    request: "SignedRequest", *, clock: Callable[[], float], fetcher: "Callable[[], Fetcher] | None" = None
) -> "tuple[SignatureResult, ...]":
    """Fetch the key directories that the request's signatures name, and verify each. Never raises."""
    from aipolicy.identity.signatures import Directories, Verifier

    directories = Directories(anyone=True, fetcher=fetcher, clock=clock)
    verifier = Verifier(directories, clock=clock)
    results = verifier.verify_each(request)
    due = {result.fetch for result in results if result.fetch is not None}

    async def fetch_all() -> None:
        await asyncio.gather(*map(directories.fetch, due))

    if due:
        asyncio.run(fetch_all())
        results = verifier.verify_each(request)
    return results
