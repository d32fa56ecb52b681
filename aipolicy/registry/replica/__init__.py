"""A machine's copy of a PostgreSQL registry: a SQLite file with the same tables, which is kept up to date.

``LocalLookup`` reads it like a registry: requests never cross the network, and are answered while PostgreSQL
is down.
"""

from aipolicy.registry.replica.follower import Replica

__all__ = ["Replica"]
