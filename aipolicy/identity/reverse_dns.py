"""What reverse DNS says of clients that are here now: looked up beside their requests, and remembered."""

import time
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime
from typing import NamedTuple

from cachetools import LRUCache

from aipolicy.core.crawlers import crawler_named
from aipolicy.forks import fork_safe_lock
from aipolicy.identity.addresses import read_address
from aipolicy.identity.background import Beside
from aipolicy.identity.identities import Identities
from aipolicy.identity.operator_lists import Ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.resolver import Resolver

_REMEMBERED = 8192  # clients that are verified, and as many that aren't: strangers evict no crawler
_THREADS, _WAITING, _OF_ONE_NETWORK = 4, 256, 8
_GOOD = frozenset({Identity.VERIFIED, Identity.OPERATOR_VERIFIED})
# Seconds after which an answer is asked for anew, and until which it is used meanwhile. The resolver keeps
# what it was told for its TTL.
_GOOD_FOR, _BAD_FOR, _FAILED_FOR = (3600.0, 86_400.0), (600.0, 3600.0), (60.0, 60.0)

_Client = tuple[str, str]
"""Product token and address."""


class Named(NamedTuple):
    """``own``: whether the name is one that the operator gives for this very crawler."""

    identity: Identity
    own: bool


BUSY = Named(Identity.CHECK_FAILED, False)
"""Of who was not looked up, for too many were waiting, or too many of its network."""


class _Kept(NamedTuple):
    named: Named
    asked_anew: float
    used_until: float


class Names:
    """Forward-confirmed reverse DNS without waiting: an answer is there from a later request on."""

    def __init__(
        self,
        ranges: Ranges,
        resolver: Resolver,
        *,
        remembered: int = _REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._resolver, self._clock = resolver, clock
        self.use(ranges)
        self._good: LRUCache[_Client, _Kept] = LRUCache(remembered)
        self._other: LRUCache[_Client, _Kept] = LRUCache(remembered)
        self._lock = fork_safe_lock()
        self._beside: Beside[_Client] = Beside(
            self._ask, threads=_THREADS, waiting=_WAITING, whose=_network, of_one=_OF_ONE_NETWORK
        )

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._good) + len(self._other)

    def find(self, product_token: str, address: str) -> Named | None:
        """What is known now, or None: DNS is being asked beside. ``BUSY``: it can't be, for the moment."""
        client, now = (product_token, address), self._clock()
        with self._lock:
            kept = self._good.get(client) or self._other.get(client)
        if kept is not None and now < kept.asked_anew:
            return kept.named
        started = self._beside.start(client)
        if kept is not None and now < kept.used_until:
            return kept.named
        return None if started else BUSY

    def use(self, ranges: Ranges) -> None:
        """Go by other lists from now on."""
        self._identities = Identities(ranges, self._resolver, signatures=True, today=self._today)

    def settle(self) -> None:
        """Wait until nothing is asked any more."""
        self._beside.settle()

    def _ask(self, client: _Client) -> None:
        token, address = client
        identity = self._identities.identify(token, address, self._today())
        crawler = crawler_named(token)
        own = identity in _GOOD and crawler is not None
        if own and crawler is not None and identity is Identity.OPERATOR_VERIFIED:
            own = isinstance(self._resolver.ask((address.partition("/")[0], crawler.rdns)), str)
        self._keep(client, Named(identity, own))

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _keep(self, client: _Client, named: Named) -> None:
        now = self._clock()
        good, failed = named.identity in _GOOD, named.identity is Identity.CHECK_FAILED
        anew, used = _GOOD_FOR if good else _FAILED_FOR if failed else _BAD_FOR
        kept = _Kept(named, now + anew, now + used)
        with self._lock:
            before = self._good.get(client)
            if failed and before is not None and now < before.used_until:
                kept = before._replace(asked_anew=min(now + anew, before.used_until))  # no answer is no *no*
                good = True
            self._good.pop(client, None)
            self._other.pop(client, None)
            (self._good if good else self._other)[client] = kept


def _network(client: _Client) -> Hashable:
    address = read_address(client[1])
    return client if address is None else address.network
