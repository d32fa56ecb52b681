"""Clients that claim a licensed product token: let in where they are that crawler.

A licence opens what the owner closed to everybody else, so a User-Agent alone doesn't use it. Only who claims
the token of such a crawler is ever looked at here, and no failure lets one in: who can't be verified now is
asked to come again.
"""

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.types import Scope

from aipolicy.asgi.events import DisallowedFetch
from aipolicy.asgi.refusals import Refusal, undecided, unproven
from aipolicy.asgi.request_target import target_of
from aipolicy.core.crawlers import Crawler

if TYPE_CHECKING:
    from aipolicy.identity import Verification, VerificationResult
    from aipolicy.identity.signatures import SignedRequest

logger = logging.getLogger("aipolicy.asgi")

_PENDING, _FAILED = 5, 60  # seconds until a client may come again
_APART = 60.0  # seconds between two lines of the log about addresses that aren't known


class Licences:
    """``verification`` None: one with the packaged lists and the machine's name servers.

    Raises MissingExtraError without ``asgi-aipolicy[identity]``.
    """

    def __init__(self, verification: "Verification | None") -> None:
        from aipolicy.identity import Identity, Verification

        self._verification = Verification() if verification is None else verification
        self._failed = Identity.CHECK_FAILED
        self._next_line = 0.0

    def refusal(
        self, scope: Scope, fetch: DisallowedFetch, host: bytes
    ) -> tuple[Refusal, DisallowedFetch | None] | None:
        """What to answer to a client that claims ``fetch.crawler``; None: it is that crawler. Never raises.

        And the fetch with what was found, to be reported; None while it isn't known yet.
        """
        try:
            standing = self._verify(scope, fetch.crawler, host)
            if standing.counts:
                return None
            fetch = replace(fetch, identity=standing.identity, reason=standing.reason)
            if standing.pending:
                return undecided(fetch, _PENDING), None
            if standing.identity is self._failed:
                self._tell(scope, fetch)
                return undecided(fetch, _FAILED), fetch
            return unproven(
                fetch, self._verification.verification_methods(fetch.crawler.product_token)
            ), fetch
        except Exception:
            logger.exception("it could not be told who a client is: it is asked to come again")
            fetch = replace(fetch, identity=self._failed, reason="it could not be checked")
            return undecided(fetch, _FAILED), fetch

    def foresee(self, scope: Scope, crawlers: tuple[Crawler, ...], host: bytes) -> None:
        """Begin to verify these up: who reads robots.txt comes for pages next. Never raises."""
        try:
            for crawler in crawlers:
                self._verify(scope, crawler, host)
        except Exception:
            logger.exception("it could not be told who a client is")

    def _verify(self, scope: Scope, crawler: Crawler, host: bytes) -> "VerificationResult":
        client = scope.get("client")
        address = client[0] if client else None
        return self._verification.verify(crawler.product_token, address, _signed(scope, host))

    def _tell(self, scope: Scope, fetch: DisallowedFetch) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + _APART
            logger.warning(
                "a client at %.60r that says it is %s can't be verified: %s (behind a proxy the server must "
                "take the client's address from it, as uvicorn --proxy-headers does)",
                scope.get("client"),
                fetch.crawler.product_token,
                fetch.reason,
            )


def _signed(scope: Scope, host: bytes) -> "SignedRequest | None":
    """The request as the client sent it, where it is signed at all."""
    if not any(name == b"signature-input" for name, _ in scope["headers"]):
        return None
    from aipolicy.identity.signatures import SignedRequest  # loaded with the verification

    scheme: str = scope.get("scheme", "http")
    return SignedRequest.from_target(
        scope.get("method", "GET"),
        target_of(scope).decode("latin-1"),
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        # The handshake of a WebSocket is a request of HTTP (RFC 6455 §4.1).
        scheme={"ws": "http", "wss": "https"}.get(scheme, scheme),
        host=host.decode("latin-1"),
    )
