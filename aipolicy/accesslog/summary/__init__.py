"""What a table of fetches adds up to: the document that every report is made from."""

from aipolicy.accesslog.summary.document import KEYS, About, summary
from aipolicy.accesslog.summary.evidence import write_evidence
from aipolicy.accesslog.summary.other_counts import in_one_spelling

__all__ = ["KEYS", "About", "in_one_spelling", "summary", "write_evidence"]
