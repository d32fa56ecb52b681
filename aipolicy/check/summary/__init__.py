"""What a table of fetches adds up to: the document that every report is made from."""

from aipolicy.check.summary.document import KEYS, About, summary
from aipolicy.check.summary.evidence import write_evidence
from aipolicy.check.summary.times import iso, microseconds

__all__ = ["KEYS", "About", "iso", "microseconds", "summary", "write_evidence"]
