"""What a request's signatures add to what is known of a client."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from aipolicy.core.crawlers import Crawler, crawler_named
from aipolicy.identity.published_checks import Identity

if TYPE_CHECKING:
    from aipolicy.identity.signatures import Agents, SignatureResult, SignedRequest
    from aipolicy.web.fetcher import Fetcher

# A check that couldn't be made leaves open what another one, that failed, seems to tell.
_WEIGHTIEST_FIRST = (
    Identity.VERIFIED,
    Identity.OPERATOR_VERIFIED,
    Identity.CHECK_FAILED,
    Identity.SPOOFED,
    Identity.UNVERIFIABLE,
)


class Signed(NamedTuple):
    """What signatures say of a client that declares a crawler; ``result`` is the one that says most.

    ``counts``: it was made for that very crawler. ``pending`` are the directories that may tell more.
    """

    identity: Identity
    counts: bool
    reason: str
    result: "SignatureResult"
    pending: frozenset[str]


def signed_by(crawler: Crawler, results: "Iterable[SignatureResult]", agents: "Agents") -> Signed | None:
    """The signatures made in the name of the crawler's operator; None: there are none.

    By whomever else a request is signed, that says nothing of this crawler. Others than the client may have
    signed it, too (a CDN, a proxy), so each is looked at, whatever its place.
    """
    from aipolicy.identity.signatures import Outcome

    found: list[Signed] = []
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
        if result.outcome is Outcome.UNVERIFIED and result.fetch is not None:
            pending.add(result.fetch)
        found.append(Signed(identity, counts, reason, result, frozenset()))
    if not found:
        return None
    return min(found, key=lambda each: _WEIGHTIEST_FIRST.index(each.identity))._replace(
        pending=frozenset(pending)
    )


def _operator(product_token: str) -> str | None:
    crawler = crawler_named(product_token)
    return None if crawler is None else crawler.operator


def weightier(found: Identity, other: Identity) -> Identity:
    """What two checks of one client, by its address and its signature, say together."""
    return min(found, other, key=_WEIGHTIEST_FIRST.index)


def _identity(result: "SignatureResult") -> Identity:
    """A signature is a forgery's where its key is known and isn't what made it, and nowhere else.

    One that expired, covers too little or has what isn't supported may be a genuine crawler's all the same.
    """
    from aipolicy.identity.signatures import Outcome

    if result.outcome is Outcome.VERIFIED:
        return Identity.VERIFIED
    if result.forged:
        return Identity.SPOOFED
    return Identity.CHECK_FAILED if result.unread else Identity.UNVERIFIABLE


def signatures_of(
    request: "SignedRequest", *, clock: Callable[[], float], fetcher: "Callable[[], Fetcher] | None" = None
) -> "tuple[SignatureResult, ...]":
    """Verify the request's signatures; the key directories that they name are read. Never raises."""
    from aipolicy.identity.signatures import Directories, Verifier

    directories = Directories(anyone=True, fetcher=fetcher, clock=clock)
    verifier = Verifier(directories, clock=clock)
    results = verifier.verify_each(request)
    due = {result.fetch for result in results if result.fetch is not None}

    async def read() -> None:
        await asyncio.gather(*map(directories.fetch, due))

    if due:
        asyncio.run(read())
        results = verifier.verify_each(request)
    return results
