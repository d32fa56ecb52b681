"""The source of truth: each site's policy now, and every change that led to it."""

from aipolicy.registry.changes import Change, InForce
from aipolicy.registry.registry import DEFAULT_URL, Registry

__all__ = ["DEFAULT_URL", "Change", "InForce", "Registry"]
