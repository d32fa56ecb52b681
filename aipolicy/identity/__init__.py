"""Verification of clients that declare a crawler: by its operator's address lists, host names and signatures.

``IdentityChecker`` verifies clients in logs, and waits for DNS. ``Verification`` verifies live clients in a
server, and never waits.
"""

from aipolicy.identity.identity_checker import IdentityChecker, IdentityEvidence
from aipolicy.identity.operator_lists import AddressList, Ranges, packaged_ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.ranges_file import ranges_in_force
from aipolicy.identity.resolver import Resolver
from aipolicy.identity.verification import Verification, VerificationResult

__all__ = [
    "AddressList",
    "Identity",
    "IdentityChecker",
    "IdentityEvidence",
    "Ranges",
    "Resolver",
    "Verification",
    "VerificationResult",
    "packaged_ranges",
    "ranges_in_force",
]
