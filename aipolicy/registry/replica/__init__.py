"""A machine's own copy of a PostgreSQL registry: one SQLite file with the same tables, always level with it.

``LocalLookup`` reads it as it reads a registry: requests never cross the network, and while PostgreSQL is
away the answers stay.
"""

from aipolicy.registry.replica.follower import Replica

__all__ = ["Replica"]
