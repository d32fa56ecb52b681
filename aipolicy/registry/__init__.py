"""The source of truth: the policies of all sites, and the history of their changes."""

from aipolicy.registry.changes import Change, InForce
from aipolicy.registry.registry import DEFAULT_URL, Registry

__all__ = ["DEFAULT_URL", "Change", "InForce", "Registry"]
