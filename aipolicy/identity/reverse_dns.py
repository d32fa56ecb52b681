"""Reverse DNS of clients that are connected now: looked up in the background, then cached."""

import time
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime
from typing import NamedTuple

from aipolicy.core.crawlers import crawler_named
from aipolicy.identity.addresses import read_address
from aipolicy.identity.background import BackgroundWorkers
from aipolicy.identity.identity_checker import IdentityChecker
from aipolicy.identity.operator_lists import Ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.resolver import Resolver
from aipolicy.identity.stale_cache import StaleCache

_MAX_CLIENTS = 8192  # verified ones, and as many others: unknown clients can't evict crawlers
_THREADS, _MAX_WAITING, _PER_NETWORK = 4, 256, 8
_VERIFIED = frozenset({Identity.VERIFIED, Identity.OPERATOR_VERIFIED})
# Seconds until an answer is refreshed, and until it expires. The resolver caches DNS records for their TTL.
_VERIFIED_TTL, _OTHER_TTL, _FAILED_TTL = (3600.0, 86_400.0), (600.0, 3600.0), (60.0, 60.0)

_Client = tuple[str, str]
"""Product token and address."""


class HostNameResult(NamedTuple):
    """``own`` is True if the host name is one that the operator publishes for this very crawler."""

    identity: Identity
    own: bool


BUSY = HostNameResult(Identity.CHECK_FAILED, False)
"""The result for a client that can't be looked up now: too many clients, or clients of its network, wait."""


class ReverseDns:
    """Forward-confirmed reverse DNS that never waits: the answer is used from a later request on."""

    def __init__(
        self,
        ranges: Ranges,
        resolver: Resolver,
        *,
        max_clients: int = _MAX_CLIENTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._resolver, self._clock = resolver, clock
        self.use_ranges(ranges)
        self._verified: StaleCache[_Client, HostNameResult] = StaleCache(max_clients, clock)
        self._others: StaleCache[_Client, HostNameResult] = StaleCache(max_clients, clock)
        self._workers: BackgroundWorkers[_Client] = BackgroundWorkers(
            self._ask,
            threads=_THREADS,
            max_waiting=_MAX_WAITING,
            group_of=_network,
            per_group=_PER_NETWORK,
        )

    def __len__(self) -> int:
        """Return the number of cached clients."""
        return len(self._verified) + len(self._others)

    def find(self, product_token: str, address: str) -> HostNameResult | None:
        """Return the cached result.

        Returns:
            None while DNS is being asked in the background; ``BUSY`` if it can't be asked now.
        """
        client, now = (product_token, address), self._clock()
        answer = self._verified.get(client) or self._others.get(client)
        if answer is not None and now < answer.refresh_at:
            return answer.value
        started = self._workers.start(client)
        if answer is not None and now < answer.expires_at:
            return answer.value
        return None if started else BUSY

    def use_ranges(self, ranges: Ranges) -> None:
        """Use other address lists from now on."""
        self._checker = IdentityChecker(ranges, self._resolver, signatures=True, today=self._today)

    def wait_until_idle(self) -> None:
        """Wait until no look-up is running."""
        self._workers.wait_until_idle()

    def _ask(self, client: _Client) -> None:
        token, address = client
        identity = self._checker.identify(token, address, self._today())
        crawler = crawler_named(token)
        own = identity in _VERIFIED and crawler is not None
        if own and crawler is not None and identity is Identity.OPERATOR_VERIFIED:
            own = isinstance(self._resolver.ask((address.partition("/")[0], crawler.rdns)), str)
        self._store(client, HostNameResult(identity, own))

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _store(self, client: _Client, result: HostNameResult) -> None:
        verified, failed = result.identity in _VERIFIED, result.identity is Identity.CHECK_FAILED
        refresh_after, expire_after = _VERIFIED_TTL if verified else _FAILED_TTL if failed else _OTHER_TTL
        # A DNS failure does not contradict an earlier answer.
        if failed and self._verified.postpone(client, refresh_after=refresh_after):
            return
        cache, other = (self._verified, self._others) if verified else (self._others, self._verified)
        cache.put(client, result, refresh_after=refresh_after, expire_after=expire_after)
        other.discard(client)


def _network(client: _Client) -> Hashable:
    address = read_address(client[1])
    return client if address is None else address.network
