"""The summary document, from which every report is made."""

from aipolicy.accesslog.summary.document import KEYS, Context, summarise, unify_spelling
from aipolicy.accesslog.summary.evidence import write_evidence

__all__ = ["KEYS", "Context", "summarise", "unify_spelling", "write_evidence"]
