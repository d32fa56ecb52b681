"""The feed of a partner: the changes that concern it, in pages that can always be read again.

A page is JSON Lines, one event a line and at most one a change. Its cursor names the registry, the last
change that was examined and a digest of that change: a registry that was restored from a backup has other
changes under the same numbers, and refuses the cursor.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.checkpoint import COLUMNS, Checkpoint
from aipolicy.core.hosts import canonical_host
from aipolicy.errors import CursorError
from aipolicy.partners.entitlement import Entitlement, EventType, action, entitlement, event_type
from aipolicy.partners.ledger import Partner, Partners
from aipolicy.partners.transitions import Transition, transitions
from aipolicy.registry.changes import policy_from_text
from aipolicy.registry.schema import change
from aipolicy.times import iso

MAX_EVENTS = 10_000
"""The most events of a page."""

_EXAMINED = 50_000  # changes for one page: those that don't concern a partner take time, too
_REMEMBERED = 1000  # distinct policies
_CHANGE = select(*(change.c[name] for name in COLUMNS))
_FIX = "read the feed again from its beginning"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the feed.

    Attributes:
        lines: The events, each a line of JSON without its end.
        cursor: The cursor of the page that follows.
        after: The last change before the page.
        upto: The last change that the page covers.
    """

    lines: list[bytes]
    cursor: str
    after: int
    upto: int

    @property
    def body(self) -> bytes:
        """The page as JSON Lines."""
        return b"".join(line + b"\n" for line in self.lines)


class Feed:
    """The feeds of the partners of a registry."""

    def __init__(self, partners: Partners) -> None:
        self._registry = partners.registry

    def page(self, partner: Partner, cursor: str | None = None, limit: int = 1000) -> Page:
        """Return the events after a cursor, or from the beginning, at most ``limit``.

        Raises:
            CursorError: The cursor is invalid, of another history, or of the future.
            RegistryError: The registry can't be read.
        """
        known = Checkpoint() if cursor is None else self._checkpoint(cursor)
        events = _Events(partner, self._registry.registry_id)
        lines: list[bytes] = []
        upto = known.seq
        for transition in transitions(self._registry, known.seq, _EXAMINED):
            if event := events.of(transition):
                lines.append(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())
            upto = transition.seq
            if len(lines) >= limit:
                break
        following = cursor if cursor is not None and upto == known.seq else self._cursor(upto)
        return Page(lines, following, known.seq, upto)

    def check(self, partner: Partner, hosts: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield what a partner may do with each host, in their order; an unknown host has its line, too."""
        known: BoundedCache[str, Entitlement] = BoundedCache(_REMEMBERED)
        asked = list(hosts)
        names = {host: canonical_host(host) for host in asked}
        texts = self._registry.texts_of(name for name in set(names.values()) if name)
        for host in asked:
            name = names[host]
            text = texts.get(name) if name else None
            if text is None:
                yield {"host": host, "state": "unknown"}
                continue
            left = _entitlement(known, text, partner)
            state = "opted-out" if left.opted_out else "granted" if left.granted else "unset"
            yield {"host": host, "state": state, "content_usage": left.content_usage, "use": str(left.use)}

    def _checkpoint(self, cursor: str) -> Checkpoint:
        try:
            registry_id, number, digest = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
            seq = int(number)
        except (ValueError, binascii.Error):
            raise CursorError(f"cursor {cursor[:80]!r} is invalid: {_FIX}") from None
        if registry_id != self._registry.registry_id:
            raise CursorError(f"the cursor belongs to another registry: {_FIX}")
        found = self._read(seq)
        if found.seq != seq or found.digest != digest:
            raise CursorError(f"the registry has no change {seq}, or another one, as after a restore: {_FIX}")
        return found

    def _cursor(self, seq: int) -> str:
        found = self._read(seq)
        text = f"{self._registry.registry_id}:{seq}:{found.digest}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _read(self, seq: int) -> Checkpoint:
        if not 0 < seq < 2**63:
            return Checkpoint()
        with self._registry.database.reading() as connection:
            row = connection.execute(_CHANGE.where(change.c.seq == seq)).first()
        return Checkpoint() if row is None else Checkpoint.from_row(row)


class _Events:
    """The events of changes for one partner."""

    def __init__(self, partner: Partner, registry_id: str) -> None:
        self._partner, self._registry_id = partner, registry_id
        self._known: BoundedCache[str, Entitlement] = BoundedCache(_REMEMBERED)

    def of(self, transition: Transition) -> dict[str, Any] | None:
        before, after = self._left(transition.before), self._left(transition.after)
        event = event_type(before, after, hosts_changed=transition.hosts_changed)
        if event is None:
            return None
        left = after or before
        return {
            "seq": transition.seq,
            "id": f"urn:aipolicy:{self._registry_id}:{transition.seq}",
            "time": iso(transition.at),
            "type": str(event),
            "site": transition.site,
            "hosts": transition.hosts,
            "content_usage": left.content_usage if left else "",
            "use": "none" if after is None else str(after.use),
            "permanent": event is EventType.DELETED,
            "action": str(action(event, before, after)),
        }

    def _left(self, text: str | None) -> Entitlement | None:
        return None if text is None else _entitlement(self._known, text, self._partner)


def _entitlement(known: BoundedCache[str, Entitlement], text: str, partner: Partner) -> Entitlement:
    try:
        return known[text]
    except KeyError:
        return known.keep(text, entitlement(policy_from_text(text, ""), partner.crawlers))
