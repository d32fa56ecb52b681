"""Is a client the crawler that it declares to be? By its operator's lists, and by its host name."""

from aipolicy.check.identity.checks import Identity
from aipolicy.check.identity.evidence import Evidence
from aipolicy.check.identity.identities import Identities
from aipolicy.check.identity.lists import AddressList, Ranges, packaged_ranges
from aipolicy.check.identity.rangesfile import ranges_in_force
from aipolicy.check.identity.resolver import Resolver

__all__ = [
    "AddressList",
    "Evidence",
    "Identities",
    "Identity",
    "Ranges",
    "Resolver",
    "packaged_ranges",
    "ranges_in_force",
]
