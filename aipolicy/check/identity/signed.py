"""What a signature adds to what is known of a client, for who asks once and can wait."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aipolicy.check.identity.checks import Identity
from aipolicy.core.crawlers import CRAWLERS, Crawler

if TYPE_CHECKING:
    from aipolicy.check.identity.signatures import SignatureResult, SignedRequest
    from aipolicy.check.web import Fetcher


def signature_of(
    request: "SignedRequest", *, clock: Callable[[], float], fetcher: "Callable[[], Fetcher] | None" = None
) -> "SignatureResult":
    """Verify the request's signature; the key directory that it names is read. Never raises."""
    from aipolicy.check.identity.signatures import Directories, Verifier

    directories = Directories(anyone=True, fetcher=fetcher, clock=clock)
    verifier = Verifier(directories, clock=clock)
    result = verifier.verify(request)
    if result.fetch is not None:
        asyncio.run(directories.fetch(result.fetch))
        result = verifier.verify(request)
    return result


def signers(result: "SignatureResult") -> frozenset[str]:
    """The product tokens that the signature stands for, as far as it verifies."""
    from aipolicy.check.identity.signatures import Agents

    return Agents().signs_for(result.directory or "")


def with_signature(found: Identity, crawler: Crawler, result: "SignatureResult") -> Identity:
    """Who the client is by its address, or host name, and its signature.

    A signature that does not verify, made in the name of the crawler's operator, is a forgery's where nothing
    else is known. One whose keys can't be read leaves open what they would have told. By whomever else a
    request is signed, that says nothing of this crawler.
    """
    from aipolicy.check.identity.signatures import Outcome

    tokens = signers(result)
    if not any(each.operator == crawler.operator for each in CRAWLERS if each.product_token in tokens):
        return found
    if result.outcome is Outcome.VERIFIED and crawler.product_token in tokens:
        return Identity.VERIFIED
    if result.outcome is Outcome.VERIFIED:
        return found if found is Identity.VERIFIED else Identity.OPERATOR_VERIFIED
    if result.unread and found in (Identity.SPOOFED, Identity.UNVERIFIABLE):
        return Identity.CHECK_FAILED
    if result.outcome is Outcome.INVALID and found is Identity.UNVERIFIABLE:
        return Identity.SPOOFED
    return found
