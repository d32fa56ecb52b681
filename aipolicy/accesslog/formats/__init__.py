"""Access log formats of the usual servers, parsed in columns.

Clients control parts of their lines. So a line that doesn't fit its format exactly is unreadable; it never
becomes a row with wrong content.

To add a format, add an entry to ``catalog``: a list of fields, or a map of JSON keys. Dialects of format
strings are tables in ``format_strings``.
"""

from aipolicy.accesslog.formats.catalog import FORMATS, parse_format
from aipolicy.accesslog.formats.detect import SAMPLE_LINES, detect_format, format_of_log
from aipolicy.accesslog.formats.log_format import LogFormat

__all__ = ["FORMATS", "SAMPLE_LINES", "LogFormat", "detect_format", "format_of_log", "parse_format"]
