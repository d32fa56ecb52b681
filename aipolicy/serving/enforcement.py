"""Enforcement: disallowed fetches by declared crawlers are reported, or refused with 403.

It is off by default. It never applies to robots.txt, ai.txt and well-known files, where crawlers read the
policy. A WebSocket handshake is treated like any other request.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.crawlers import Crawler
from aipolicy.core.hosts import canonical_host
from aipolicy.core.user_agent import MAX_USER_AGENT, declared_crawlers, is_site_audit
from aipolicy.rendering import Rendering
from aipolicy.serving.disallowed_fetches import DisallowedFetch, FetchCounts, FetchLog
from aipolicy.serving.exchange import Request, Response
from aipolicy.serving.policy_files import POLICY_FILES
from aipolicy.serving.refusals import closed
from aipolicy.serving.request_target import RequestTarget
from aipolicy.serving.response_headers import combined, header_set_of
from aipolicy.serving.verified import LicenceCheck
from aipolicy.signals.header_field import Header

if TYPE_CHECKING:
    from aipolicy.identity import Verification

logger = logging.getLogger("aipolicy.serving")

EnforceMode = Literal["off", "monitor", "declared", "verified"]
ENFORCE_MODES: tuple[EnforceMode, ...] = get_args(EnforceMode)

Candidate = tuple[bytes, Rendering]
"""A site that a request may be for: its name in the lookup, and its rendering."""

_REMEMBERED = 8192  # User-Agents
_MAX_CACHED_BYTES = 512  # of a User-Agent


class Enforcement:
    """Reports and refusals of disallowed fetches by crawlers.

    Args:
        mode: ``"declared"`` refuses crawlers that declare themselves; ``"verified"`` also clients that claim
            to be a licensed crawler and aren't; ``"monitor"`` refuses nobody, and ignores the requests of
            ``aipolicy check site`` in a crawler's name.
        report: Called with each disallowed fetch; by default the mode ``"monitor"`` logs them.
        verification: For the mode ``"verified"``.
        client_addresses: Put the client's address into reports.
    """

    def __init__(
        self,
        mode: EnforceMode,
        report: Callable[[DisallowedFetch], None] | None = None,
        *,
        verification: "Verification | None" = None,
        client_addresses: bool = False,
    ) -> None:
        self._refuses = mode in ("declared", "verified")
        self._licence_check = LicenceCheck(verification) if mode == "verified" else None
        if report is None and mode == "monitor":
            report = FetchLog().report
        self._report = report
        self._client_addresses = client_addresses
        self._crawlers: BoundedCache[bytes, tuple[Crawler, ...]] = BoundedCache(_REMEMBERED)
        self.counts = FetchCounts()

    def crawlers(self, headers: Iterable[Header]) -> tuple[Crawler, ...]:
        """Return the crawlers that a request's User-Agent declares: for most requests none."""
        user_agent = _user_agent(headers)
        crawlers = self._crawlers.get(user_agent)
        return self._recognised(user_agent) if crawlers is None else crawlers

    def refusal(self, request: Request, host: bytes, sites: Sequence[Candidate]) -> Response | None:
        """Return the refusal, with the site's headers, or None if the request is allowed. Never raises.

        A disallowed fetch is counted and reported.

        Args:
            request: The request.
            host: The value of its Host header.
            sites: Every site that the request may be for; it is refused if one of them closes the path.
        """
        try:
            if RequestTarget.below_mount(*request.target[:3]).is_within(POLICY_FILES, "/.well-known/"):
                return None
            refusal = self._refusal(request, host, sites)
            if refusal is None:
                return None
            rendering = combined(request, [rendering for _, rendering in sites])
            header_set = header_set_of(rendering, *request.target)
            return refusal._replace(headers=[*header_set.headers, *refusal.headers])
        except Exception:
            logger.exception("access check failed; request allowed")
            return None

    def prepare(self, request: Request, host: bytes, rendering: Rendering) -> None:
        """Start to verify a licensed crawler that reads a policy file."""
        licensed = rendering.policy.licensed
        if self._licence_check is not None and licensed:
            claimed = tuple(c for c in self.crawlers(request.headers) if c.product_token in licensed)
            self._licence_check.prepare(request, claimed, host)

    def _refusal(self, request: Request, host: bytes, sites: Sequence[Candidate]) -> Response | None:
        target, crawlers = RequestTarget.of(*request.target), self.crawlers(request.headers)
        for (site, rendering), crawler in product(sites, crawlers):
            if target.is_closed(rendering, crawler):
                fetch = self._fetch(request, host, site, rendering, target, crawler)
                self._count(fetch.crawler, "refused" if fetch.refused else "reported", fetch)
                return closed(fetch) if fetch.refused else None
        if self._licence_check is None:
            return None
        for (site, rendering), crawler in product(sites, crawlers):
            if target.needs_licence(rendering, crawler):
                fetch = self._fetch(request, host, site, rendering, target, crawler)
                doubt = self._licence_check.doubt(request, fetch, host)
                if doubt is not None:
                    self._count(crawler, doubt.outcome, doubt.fetch)
                    return doubt.response
        return None

    def _fetch(
        self,
        request: Request,
        host: bytes,
        site: bytes,
        rendering: Rendering,
        target: RequestTarget,
        crawler: Crawler,
    ) -> DisallowedFetch:
        return DisallowedFetch(
            crawler=crawler,
            policy=rendering.policy,
            site=canonical_host(site) or "",
            host=host[:256].decode("latin-1"),
            method=request.method,
            path=target.sent[:2048],
            user_agent=_user_agent(request.headers)[:512].decode("latin-1"),
            refused=self._refuses,
            time=datetime.now(UTC),
            client=request.client if self._client_addresses else None,
        )

    def _count(self, crawler: Crawler, outcome: str, fetch: DisallowedFetch | None) -> None:
        self.counts.add(crawler.product_token, outcome)
        if self._report is not None and fetch is not None:
            self._report(fetch)

    def _recognised(self, user_agent: bytes) -> tuple[Crawler, ...]:
        try:
            text = user_agent[:MAX_USER_AGENT].decode("latin-1")
            # An audit must get what the crawler gets, but a report of the crawler's fetches isn't about it.
            ignored = not self._refuses and is_site_audit(text)
            crawlers = () if ignored else declared_crawlers(text)
        except Exception:
            logger.exception("a User-Agent can't be read; it is taken to declare no crawler")
            return ()
        if len(user_agent) <= _MAX_CACHED_BYTES:
            self._crawlers.keep(user_agent, crawlers)
        return crawlers


def _user_agent(headers: Iterable[Header]) -> bytes:
    for name, value in headers:
        if name == b"user-agent":
            return value
    return b""
