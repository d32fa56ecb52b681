"""What reverse DNS says of clients that are here now: looked up beside their requests, and remembered."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from cachetools import LRUCache

from aipolicy.check.identity.beside import Beside
from aipolicy.check.identity.checks import Identity
from aipolicy.check.identity.identities import Identities
from aipolicy.check.identity.lists import Ranges
from aipolicy.check.identity.resolver import Resolver
from aipolicy.core.crawlers import crawler_named

_REMEMBERED = 8192  # clients that are verified, and as many that aren't: strangers evict no crawler
_THREADS, _WAITING = 4, 256
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


class _Kept(NamedTuple):
    named: Named
    asked_anew: float
    used_until: float


class Names:
    """Forward-confirmed reverse DNS without waiting: an answer is there from a later request on."""

    def __init__(
        self,
        identities: Identities,
        resolver: Resolver,
        *,
        remembered: int = _REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``identities`` are with that ``resolver``."""
        self._identities, self._resolver = identities, resolver
        self._clock = clock
        self._good: LRUCache[_Client, _Kept] = LRUCache(remembered)
        self._other: LRUCache[_Client, _Kept] = LRUCache(remembered)
        self._lock = threading.Lock()
        self._beside: Beside[_Client] = Beside(self._ask, threads=_THREADS, waiting=_WAITING)

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._good) + len(self._other)

    def find(self, product_token: str, address: str) -> Named | None:
        """What is known now, or None; DNS is asked beside, where that is due."""
        client, now = (product_token, address), self._clock()
        with self._lock:
            kept = self._good.get(client) or self._other.get(client)
        if kept is not None and now < kept.asked_anew:
            return kept.named
        self._beside.start(client)
        return kept.named if kept is not None and now < kept.used_until else None

    def use(self, ranges: Ranges) -> None:
        """Go by other lists from now on."""
        self._identities = Identities(ranges, self._resolver)

    def settle(self) -> None:
        """Wait until nothing is asked any more."""
        self._beside.settle()

    def _ask(self, client: _Client) -> None:
        token, address = client
        identity = self._identities.identify(token, address)
        crawler = crawler_named(token)
        own = identity in _GOOD and crawler is not None
        if own and crawler is not None and identity is Identity.OPERATOR_VERIFIED:
            own = isinstance(self._resolver.ask((address.partition("/")[0], crawler.rdns)), str)
        self._keep(client, Named(identity, own))

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
