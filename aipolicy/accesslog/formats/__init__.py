"""Access logs of every usual server, read in columns.

Parts of each line are written by whoever sent the request, so a line that doesn't fit its format exactly is
unreadable: it never becomes a row that says something else.
"""

from aipolicy.accesslog.formats.base import LogFormat
from aipolicy.accesslog.formats.catalog import FORMATS, named
from aipolicy.accesslog.formats.detect import LOOKED_AT, fitting, recognise, telling

__all__ = ["FORMATS", "LOOKED_AT", "LogFormat", "fitting", "named", "recognise", "telling"]
