"""Sites that are derived from their number: 1.1 hosts each, every tenth opted out.

One in a hundred also has its own robots.txt, which contains its name, and licenses one crawler: no two of
these have the same policy. Names are scattered over the alphabet, like those of sites registered one after
the other.
"""

import random
from array import array
from collections.abc import Iterator
from itertools import accumulate

from aipolicy.core.policy import SitePolicy
from aipolicy.registry.changes import policy_text

SCATTER = 1_000_003
"""A prime: unless it divides N, its multiples modulo N are all the numbers below N, in no order."""

UNSET = policy_text(SitePolicy.from_preset("unset"))
OPTED_OUT = policy_text(SitePolicy.from_preset("no-training"))
ROBOTS = (
    "User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\nSitemap: https://NAME/map.xml\n"
)
OWN = policy_text(SitePolicy.from_preset("no-training", robots_base=ROBOTS, licensed=["GPTBot"]))
"""A policy document, with NAME in place of the site's name."""

EXPONENT = 1.1  # of Zipf's law


class Sites:
    """``count`` sites, rounded down to hundreds, with ids from 1.

    A site's *place* is that of its name in the alphabet, from 0.
    """

    def __init__(self, count: int) -> None:
        self.count = count - count % 100
        self.hosts = self.count + self.count // 10
        self.step = 2**32 // self.count
        self.inverse = pow(SCATTER, -1, self.count)

    def id_at(self, place: int) -> int:
        return 1 + place * SCATTER % self.count

    def place_of(self, id_: int) -> int:
        return (id_ - 1) * self.inverse % self.count

    def name(self, place: int) -> str:
        return f"{place * self.step:08x}.platform.example"

    def further(self, place: int) -> str:
        """Return the second host of a site; ``has_further`` is True if it has one."""
        return f"www.{place * self.step:08x}.example"

    def has_further(self, id_: int) -> bool:
        return id_ // 10 % 10 == 1

    def policy(self, id_: int) -> str:
        """Return the policy as JSON, as the registry stores it."""
        if id_ % 100 == 7:
            return OWN.replace("NAME", self.name(self.place_of(id_)))
        return OPTED_OUT if id_ % 10 == 7 else UNSET

    def host(self, number: int) -> tuple[str, int]:
        """Return host ``number`` of all ``hosts``, and its site's id."""
        if number < self.count:
            return self.name(self.place_of(number + 1)), number + 1
        hundreds, rest = divmod(number - self.count, 10)
        id_ = hundreds * 100 + 10 + rest
        return self.further(self.place_of(id_)), id_

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield every host and its policy, sorted by host."""
        for place in range(self.count):
            yield self.name(place), self.policy(self.id_at(place))
        for place in range(self.count):
            if self.has_further(id_ := self.id_at(place)):
                yield self.further(place), self.policy(id_)

    def zipf(self, requests: int) -> Iterator[str]:
        """Yield hosts as readers request them: the n-th most read one 1/n^1.1 times as often as the first."""
        weights = array("d", accumulate(rank**-EXPONENT for rank in range(1, self.hosts + 1)))
        for rank in random.Random(1).choices(range(self.hosts), cum_weights=weights, k=requests):
            yield self.host(rank * SCATTER % self.hosts)[0]

    def sweep(self, requests: int) -> Iterator[str]:
        """Yield hosts as a crawler visits them: each equally often."""
        chance = random.Random(2)
        return (self.host(chance.randrange(self.hosts))[0] for _ in range(requests))
