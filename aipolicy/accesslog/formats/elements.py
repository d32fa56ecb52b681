"""What a format string is made of, whatever its dialect: fields, and the text between them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a field is good for; the value is the name of its group."""

    HOST = "host"
    ADDRESS = "address"
    FORWARDED = "forwarded"
    REQUEST = "request"
    """The whole request line: method, target and protocol."""
    TARGET = "target"
    QUERY = "query"
    STATUS = "status"
    USER_AGENT = "user_agent"
    TIME = "time"
    USER = "user"
    """The name a client logged in with: the client's to choose, and it may hold spaces."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line."""

    role: Role
    rank: int = 0
    """Of several fields for one column the one with the lowest rank is read."""
    code: str = ""
    """How a time is written (see ``moments``)."""
    pattern: str = ""
    """What its text looks like, where that is narrower than its role and place say."""


WHOLE = 0
"""The rank of a target that has its query in it."""
OTHER = Field(Role.OTHER)
Element = str | Field
"""A field, or the text that stands there in every line."""
