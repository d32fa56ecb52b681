"""AI partners: the content they may use, the changes they have read, and the removals they are asked for."""

from aipolicy.partners.http import routes
from aipolicy.partners.ledger import Partners
from aipolicy.partners.removals import Removals

__all__ = ["Partners", "Removals", "routes"]
