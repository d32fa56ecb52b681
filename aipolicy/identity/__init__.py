"""Is a client the crawler that it declares to be? By its operator's lists, its host name, its signature."""

from aipolicy.identity.evidence import Evidence
from aipolicy.identity.identities import Identities
from aipolicy.identity.operator_lists import AddressList, Ranges, packaged_ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.ranges_file import ranges_in_force
from aipolicy.identity.resolver import Resolver
from aipolicy.identity.verification import Standing, Verification

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
