"""Verification of clients that claim the product token of a licensed crawler.

A licence opens paths that the owner closed to everybody else, so a User-Agent alone is not enough. While the
verification runs, or if it fails, the client is refused and asked to retry.
"""

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from aipolicy.core.crawlers import Crawler
from aipolicy.serving.disallowed_fetches import DisallowedFetch
from aipolicy.serving.exchange import Request, Response
from aipolicy.serving.refusals import undecided, unverified
from aipolicy.serving.request_target import target_of

if TYPE_CHECKING:
    from aipolicy.identity import Verification, VerificationResult
    from aipolicy.identity.signatures import SignedRequest

logger = logging.getLogger("aipolicy.serving")

_PENDING, _FAILED = 5, 60  # seconds until a client may retry
_SECONDS_BETWEEN_LINES = 60.0  # of the log, about addresses that can't be verified


class Doubt(NamedTuple):
    """The outcome of a failed or unfinished verification.

    Attributes:
        response: The response to the client.
        outcome: ``"unverified"`` or ``"undecided"``.
        fetch: The fetch to report, with the result; None while there is no result.
    """

    response: Response
    outcome: str
    fetch: DisallowedFetch | None


class LicenceCheck:
    """The check that a client is the licensed crawler that it claims to be.

    Args:
        verification: By default, one with the packaged lists and the machine's name servers.

    Raises:
        MissingExtraError: ``asgi-aipolicy[identity]`` is not installed.
    """

    def __init__(self, verification: "Verification | None") -> None:
        from aipolicy.identity import Identity, Verification

        self._verification = Verification() if verification is None else verification
        self._failed = Identity.CHECK_FAILED
        self._next_line = 0.0

    def doubt(self, request: Request, fetch: DisallowedFetch, host: bytes) -> Doubt | None:
        """Return None if a client is the crawler that it claims to be. Never raises.

        Args:
            request: The client's request.
            fetch: The fetch to report if the client isn't that crawler.
            host: The value of its Host header.
        """
        try:
            result = self._verify(request, fetch.crawler, host)
            if result.counts:
                return None
            fetch = replace(fetch, identity=result.identity, reason=result.reason)
            if result.pending:
                return Doubt(undecided(fetch, _PENDING), "undecided", None)
            if result.identity is self._failed:
                self._warn(request, fetch)
                return Doubt(undecided(fetch, _FAILED), "undecided", fetch)
            methods = self._verification.verification_methods(fetch.crawler.product_token)
            return Doubt(unverified(fetch, methods), "unverified", fetch)
        except Exception:
            logger.exception("a client can't be verified; it is asked to retry")
            fetch = replace(fetch, identity=self._failed, reason="the verification failed")
            return Doubt(undecided(fetch, _FAILED), "undecided", fetch)

    def prepare(self, request: Request, crawlers: tuple[Crawler, ...], host: bytes) -> None:
        """Start to verify a client that reads a policy file, because pages come next. Never raises."""
        try:
            for crawler in crawlers:
                self._verify(request, crawler, host)
        except Exception:
            logger.exception("a client can't be verified")

    def _verify(self, request: Request, crawler: Crawler, host: bytes) -> "VerificationResult":
        return self._verification.verify(crawler.product_token, request.client, _signed(request, host))

    def _warn(self, request: Request, fetch: DisallowedFetch) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + _SECONDS_BETWEEN_LINES
            logger.warning(
                "a client at %.60r that claims to be %s can't be verified: %s (behind a proxy, configure the "
                "server to take the client's address from it, like uvicorn --proxy-headers)",
                request.client,
                fetch.crawler.product_token,
                fetch.reason,
            )


def _signed(request: Request, host: bytes) -> "SignedRequest | None":
    """Return the request as the client sent it, if it is signed."""
    if not any(name == b"signature-input" for name, _ in request.headers):
        return None
    from aipolicy.identity.signatures import SignedRequest  # loaded with the verification

    return SignedRequest.from_target(
        request.method,
        target_of(request.path, request.raw_path, request.query).decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers],
        # The handshake of a WebSocket is an HTTP request (RFC 6455 §4.1).
        scheme={"ws": "http", "wss": "https"}.get(request.scheme, request.scheme),
        host=host.decode("latin-1"),
    )
