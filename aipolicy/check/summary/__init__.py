"""What a table of fetches adds up to: the document that every report is made from."""

from aipolicy.check.summary.apart import in_one_spelling
from aipolicy.check.summary.document import KEYS, About, summary
from aipolicy.check.summary.evidence import write_evidence

__all__ = ["KEYS", "About", "in_one_spelling", "summary", "write_evidence"]
