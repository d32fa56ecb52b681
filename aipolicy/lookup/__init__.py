"""Lookups: host → rendering, the only thing on the request path."""

from aipolicy.lookup.base import Lookup
from aipolicy.lookup.cached import CachedLookup
from aipolicy.lookup.local import LocalLookup
from aipolicy.lookup.status import LookupStatus, ReplicaStatus

__all__ = ["CachedLookup", "LocalLookup", "Lookup", "LookupStatus", "ReplicaStatus"]
