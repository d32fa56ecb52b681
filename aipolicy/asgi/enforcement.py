"""Crawlers that the policy closes a path to: reported, or refused with 403, as they declare themselves.

Off unless asked for: robots.txt and headers ask, this answers. Never for robots.txt, ai.txt or a well-known
file, where a crawler reads what is asked of it. The handshake of a WebSocket is a request like any other.
"""

import logging
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from starlette.types import Scope

from aipolicy.asgi.events import DisallowedFetch, Hook, Reporter
from aipolicy.asgi.refusals import Refusal, closed
from aipolicy.asgi.request_target import RequestTarget
from aipolicy.asgi.verified import Licences
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.crawlers import Crawler
from aipolicy.core.user_agent import LONGEST_USER_AGENT, declared_crawlers
from aipolicy.rendering import Rendering

if TYPE_CHECKING:
    from aipolicy.identity import Verification

logger = logging.getLogger("aipolicy.asgi")

MODES = ("off", "monitor", "declared", "verified")

_REMEMBERED = 8192  # User-Agents
_LONGEST_REMEMBERED = 512  # octets


class Enforcer:
    """Recognises crawlers, reports their disallowed fetches, and refuses them in the mode ``declared``.

    In the mode ``verified`` also who claims to be a licensed crawler, and isn't.
    """

    def __init__(self, mode: str, on_event: Hook | None, verification: "Verification | None" = None) -> None:
        self._refuses = mode in ("declared", "verified")
        self._licences = Licences(verification) if mode == "verified" else None
        self._reporter = None if on_event is None else Reporter(on_event)
        self._memo: Memo[bytes, tuple[Crawler, ...]] = Memo(_REMEMBERED)

    def declared(self, scope: Scope) -> tuple[bytes, tuple[Crawler, ...]]:
        """The User-Agent of a request, and the crawlers it declares: nearly always none, and quickly."""
        user_agent = b""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                user_agent = value
                break
        crawlers = self._memo.get(user_agent)
        return user_agent, self._recognised(user_agent) if crawlers is None else crawlers

    def refusal(
        self, scope: Scope, *, renderings: Sequence[Rendering], host: bytes, target: RequestTarget
    ) -> Refusal | None:
        """What to answer to a crawler that is refused; None: it may go on. Reports a disallowed fetch.

        Args:
            renderings: Of every site that the request may be for: one that closes the path is enough.
            target: What is asked for; one reading that is closed is enough.
        """
        fetch = self.disallowed(scope, renderings=renderings, host=host, target=target)
        if fetch is not None:
            self._report(fetch)
            return closed(fetch) if fetch.refused else None
        if self._licences is None:
            return None
        user_agent, crawlers = self.declared(scope)
        for rendering, crawler in product(renderings, crawlers):
            if target.needs_licence(rendering, crawler):
                claim = self._fetch(scope, crawler, rendering, host, target, user_agent)
                doubted = self._licences.refusal(scope, claim, host)
                if doubted is not None:
                    refusal, fetch = doubted
                    if fetch is not None:
                        self._report(fetch)
                    return refusal
        return None

    def foresee(self, scope: Scope, rendering: Rendering, host: bytes) -> None:
        """Note that a licensed crawler, if it is one, has come to read what it may."""
        if self._licences is not None and rendering.policy.licensed:
            licensed = rendering.policy.licensed
            claimed = tuple(c for c in self.declared(scope)[1] if c.product_token in licensed)
            self._licences.foresee(scope, claimed, host)

    def disallowed(
        self, scope: Scope, *, renderings: Sequence[Rendering], host: bytes, target: RequestTarget
    ) -> DisallowedFetch | None:
        """The disallowed fetch that a request is, or None."""
        user_agent, crawlers = self.declared(scope)
        for rendering, crawler in product(renderings, crawlers):
            if target.is_closed(rendering, crawler):
                return self._fetch(scope, crawler, rendering, host, target, user_agent)
        return None

    def _fetch(
        self,
        scope: Scope,
        crawler: Crawler,
        rendering: Rendering,
        host: bytes,
        target: RequestTarget,
        user_agent: bytes,
    ) -> DisallowedFetch:
        return DisallowedFetch(
            crawler=crawler,
            policy=rendering.policy,
            host=host[:256].decode("latin-1"),
            method=scope.get("method", "GET"),
            path=target.sent[:2048],
            user_agent=user_agent[:512].decode("latin-1"),
            refused=self._refuses,
        )

    def _recognised(self, user_agent: bytes) -> tuple[Crawler, ...]:
        try:
            crawlers = declared_crawlers(user_agent[:LONGEST_USER_AGENT].decode("latin-1"))
        except Exception:
            logger.exception("a User-Agent could not be read: it declares no crawler")
            return ()
        if len(user_agent) <= _LONGEST_REMEMBERED:
            self._memo.keep(user_agent, crawlers)
        return crawlers

    def _report(self, fetch: DisallowedFetch) -> None:
        """Tell the hook, if there is one."""
        if self._reporter is not None:
            self._reporter.report(fetch)
