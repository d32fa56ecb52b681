"""A request as the client sent it: what its signatures were made over."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

Lines = tuple[tuple[str, str], ...]

_NOT_IN_A_URL = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%-]|%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """``url`` is absolute, with the host that the client asked for; ``headers`` are the lines as sent, in
    order, read as Latin-1. ``body`` is what a covered Content-Digest is held against; None: it isn't.
    """

    method: str
    url: str
    headers: Lines
    body: bytes | None = None

    @classmethod
    def from_target(
        cls,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        *,
        scheme: str = "https",
        host: str | None = None,
        body: bytes | None = None,
    ) -> Self:
        """Of a request line's parts: ``target`` is ``/path?query``, or an absolute URL (RFC 9112 §3.2).

        The host is ``host``, or the Host header's, in either case, for that is what a site is chosen by. Of
        several headers there is none: the URL names no host then, and no signature verifies.
        """
        lines = tuple(headers)
        hosts = [value.strip(" \t") for name, value in lines if name.lower() == "host"]
        if host is None:
            host = hosts[0] if len(hosts) == 1 else ""
        if not target.startswith("/"):
            target = "/" + target.partition("://")[2].partition("/")[2]
        # Some clients send characters that no URL has: a signature that doesn't cover the path stands.
        target = _NOT_IN_A_URL.sub(lambda match: quote(match[0], encoding="latin-1"), target)
        return cls(method, f"{scheme}://{host}{target}", lines, body)

    def field(self, name: str) -> str | None:
        """The lines of that header joined (RFC 9421 §2.1), or None."""
        values = [value.strip(" \t") for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None
