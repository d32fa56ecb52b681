"""What an identity rests on: the lists that have the address, and what DNS said."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from aipolicy.identity.addresses import ClientAddress
from aipolicy.identity.operator_lists import AddressList
from aipolicy.identity.prefixes import Network
from aipolicy.identity.published_checks import Check, Identity
from aipolicy.identity.resolver import Trace


@dataclass(frozen=True, slots=True)
class Match:
    """A prefix of a list that holds the address; ``counts`` is whether it did so on the day asked about."""

    published: AddressList
    prefix: Network
    counts: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a client on ``day`` that declares a crawler, as of ``today``.

    ``client`` is None where the address can't be read, ``trace`` where DNS was not asked about it. ``proxy``
    is the prefix of a CDN's or load balancer's that has the address, where that is why the check failed.
    """

    identity: Identity
    check: Check
    client: ClientAddress | None
    proxy: Match | None
    day: date
    today: date
    trace: Trace | None
    asks_dns: bool

    @property
    def matches(self) -> tuple[Match, ...]:
        """The prefixes that hold the address, or any that it may stand for; those that count first."""
        found = sorted(self._matches(), key=lambda match: (not match.counts, not match.exact))
        return tuple(found)

    def _matches(self) -> Iterator[Match]:
        client = self.client
        if client is None:
            return
        for at, published in enumerate(self.check.lists):
            for net in published.prefixes:
                if (
                    net.version == client.version
                    and int(net.network_address) <= client.last
                    and client.first <= int(net.broadcast_address)
                ):
                    counts = published.counts_on(self.day)
                    yield Match(published, net, counts, at in self.check.exact)
