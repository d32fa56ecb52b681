"""Names within the summary document, and how people are told of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Document = Mapping[str, Any]
"""The summary document, or a part of it: what ``--json`` prints."""

VERDICTS = MappingProxyType(
    {
        "allowed": "Allowed",
        "disallowed": "Disallowed",
        "disallowed_spoofed": "By impostors",
        "in_grace": "In grace",
        "exempt": "Exempt",
        "refused": "Refused",
        "robots_txt_reads": "robots.txt reads",
    }
)
"""The verdicts on a fetch, each exactly one of them, and their headings.

What impostors did stands apart: it is no count of the crawler's, or its operator's.
"""

IDENTITIES = MappingProxyType(
    {
        "verified": "verified",
        "operator_verified": "operator only",
        "spoofed": "spoofed",
        "unverifiable": "unverifiable",
        "check_failed": "check failed",
    }
)
"""What is known of who a client was, in short."""

PURPOSES = MappingProxyType(
    {
        "training": "AI training",
        "dataset": "data sets",
        "search": "AI search",
        "user-fetch": "fetches for a user",
        "control": "control token",
        "search-engine": "search engine",
        "preview": "link previews",
        "other": "other",
    }
)
"""Why a crawler comes."""


def whose(crawler: Document) -> str:
    """Describe the operator and purpose of a crawler, or that only a policy names it."""
    if crawler["operator"] is None:
        return "named by the policy"
    return f"{crawler['operator']}, {PURPOSES.get(crawler['purpose'], crawler['purpose'])}"
