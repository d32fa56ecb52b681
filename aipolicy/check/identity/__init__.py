"""Is a client the crawler that it declares to be? By its operator's lists, its host name, its signature."""

from aipolicy.check.identity.checks import Identity
from aipolicy.check.identity.evidence import Evidence
from aipolicy.check.identity.identities import Identities
from aipolicy.check.identity.lists import AddressList, Ranges, packaged_ranges
from aipolicy.check.identity.rangesfile import ranges_in_force
from aipolicy.check.identity.resolver import Resolver
from aipolicy.check.identity.verification import Standing, Verification

__all__ = [
    "AddressList",
    "Evidence",
    "Identities",
    "Identity",
    "Ranges",
    "Resolver",
    "Standing",
    "Verification",
    "packaged_ranges",
    "ranges_in_force",
]
