"""Lookups: host → rendering, the only thing on the request path."""

from aipolicy.lookup.base import Lookup
from aipolicy.lookup.cached import CachedLookup
from aipolicy.lookup.local import LocalLookup
from aipolicy.lookup.renderer import LoadResult
from aipolicy.lookup.status import LookupStatus, ReplicaStatus

__all__ = ["CachedLookup", "LoadResult", "LocalLookup", "Lookup", "LookupStatus", "ReplicaStatus"]
