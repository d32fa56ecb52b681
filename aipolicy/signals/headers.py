"""The response headers of a policy, and their merging with the application's.

``FIELDS`` is the table of header signals; everything that writes, merges or compares headers iterates over
it. To add a header, write a module with its ``HeaderField``, add the field to ``FIELDS`` and a switch to
``Signals``.
"""

from collections.abc import Iterable
from html import escape

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.signals import content_usage, rsl, tdmrep, x_robots_tag
from aipolicy.signals.header_field import Header, HeaderField, Joining, field_name
from aipolicy.signals.switches import Signals

FIELDS: tuple[HeaderField, ...] = (
    x_robots_tag.FIELD,
    content_usage.FIELD,
    tdmrep.RESERVATION,
    tdmrep.POLICY,
    rsl.LINK,
)
"""Every header that carries a signal, in the order in which they are sent."""

_BY_KEY = {field.key: field for field in FIELDS}

FIELD_NAMES = frozenset(_BY_KEY)
"""Their names in lower case."""

REPEATABLE = frozenset(key for key, field in _BY_KEY.items() if field.joining is not Joining.SET)
"""The fields of which a response may have several lines."""

_FIRST = frozenset(key for key, field in _BY_KEY.items() if field.joining is Joining.BEFORE)
_COMBINE = {key: field.combine for key, field in _BY_KEY.items() if field.combine}
_VALUES = tuple((key, field.values) for key, field in _BY_KEY.items())


def headers_of(policy: SitePolicy, preferences: Preferences, signals: Signals) -> tuple[Header, ...]:
    """Return the headers of a response whose content has ``preferences`` (the site's, or a path's)."""
    return tuple(
        (key, value.encode("ascii"))
        for key, values in _VALUES
        for value in values(policy, preferences, signals)
    )


def as_text(header: Header) -> tuple[str, str]:
    """Return name and value for people and other servers: the name as its specification spells it."""
    name, value = header[0].decode("ascii"), header[1].decode("ascii")
    field = _BY_KEY.get(header[0])
    return (field.name if field else name), value


def meta_tags(headers: Iterable[Header]) -> bytes:
    """Return the same signals as HTML meta tags, for those fields that have such a form."""
    tags = (
        (field.meta_name.encode("ascii"), escape(value.decode()).encode())
        for name, value in headers
        if (field := _BY_KEY.get(name)) and field.meta_name
    )
    return b"".join(b'<meta name="%b" content="%b">' % tag for tag in tags)


def merge_headers(existing: Iterable[Header], added: Iterable[Header]) -> list[Header]:
    """Return the headers ``existing`` of a response merged with ``added``, each field in its own way.

    Existing names are compared in any case, and without spaces around them. Equal lines aren't repeated.
    """
    existing, added = list(existing), list(added)
    replaced = {name for name, _ in added} - REPEATABLE
    kept = [
        header
        for header in existing
        if (name := field_name(header[0])) not in replaced
        and (name, bytes(header[1]).strip(b" \t\r\n")) not in added
    ]
    first = [header for header in added if header[0] in _FIRST]
    last: list[Header] = []
    for name, value in added:
        combine = _COMBINE.get(name)
        lines = [bytes(line) for key, line in existing if field_name(key) == name] if combine else []
        if name not in _FIRST:
            last.append((name, combine(value, lines) if combine and lines else value))
    return [*first, *kept, *last]
