"""AI partners: what they may use, what they were told and when, and what they are asked to remove."""

from aipolicy.partners.http import routes
from aipolicy.partners.ledger import Partners
from aipolicy.partners.removals import Removals

__all__ = ["Partners", "Removals", "routes"]
