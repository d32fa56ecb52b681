"""Signature agents: the URL that a signer is known by, where its keys are, and which crawlers are its.

draft-ietf-webbotauth-httpsig-protocol-01 §4 and §6: the URL is the identifier, and is fetched as it is sent.
Older drafts sent an origin, whose keys are at the well-known URI; both are on the wire.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from aipolicy.core.crawlers import CRAWLERS, crawler_named
from aipolicy.core.paths import without_dot_segments

WELL_KNOWN = "/.well-known/http-message-signatures-directory"

_LONGEST = 2048
_URL = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")  # RFC 3986 §2, whole
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True)
class SignatureAgent:
    """``url`` is the identifier: normalised (RFC 3986 §6.2.2, §6.2.3), without query, an origin without its
    slash. ``directory`` is the URL of its keys, with its query.
    """

    url: str
    directory: str


def signature_agent(text: str, kind: str = "directory") -> SignatureAgent:
    """Read the value of a Signature-Agent member. Raises ValueError with the reason.

    ``kind`` is the ``type`` of older drafts: only a ``directory`` has its keys at the well-known URI of an
    origin.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"the signature agent's URL is longer than {_LONGEST} characters")
    if not _URL.fullmatch(text):
        raise ValueError("the signature agent is not a URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("the signature agent is not a URL") from None
    if parts.scheme != "https":
        raise ValueError("the signature agent is not an https URL")
    host = _host(parts)
    if port not in (None, 443):
        host += f":{port}"
    path = _path(parts.path)
    origin = f"https://{host}"
    query = f"?{parts.query}" if "?" in text else ""
    if path == "/" and not query:
        return SignatureAgent(origin, origin + (WELL_KNOWN if kind == "directory" else "/"))
    return SignatureAgent(origin + ("" if path == "/" else path), origin + path + query)


def at_well_known(directory: str) -> bool:
    """Whether keys are at the URI that is kept for them, and name the host's operator."""
    return urlsplit(directory).path == WELL_KNOWN


def _host(parts: SplitResult) -> str:
    if parts.fragment or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise ValueError(
            "the signature agent's URL has a part that it must not have: give scheme, host, path"
        )
    host = parts.netloc.lower().rpartition(":")[0] if parts.port is not None else parts.netloc.lower()
    if not _HOST.fullmatch(host):
        raise ValueError("the signature agent's URL has no host")
    return host


def _path(path: str) -> str:
    """Normalised: escapes in upper case, none that needn't be one, no dot segments (RFC 3986 §5.2.4)."""

    def escape(match: re.Match[str]) -> str:
        if match[1] is None:
            raise ValueError("the signature agent's URL has a % that begins no escape")
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.fullmatch(character) else f"%{match[1].upper()}"

    return without_dot_segments(_ESCAPE.sub(escape, path))


class Agents:
    """Which signature agents sign for which product tokens: the crawler table's, and ``more``.

    ``more`` maps an agent's URL to product tokens: ``{"https://chatgpt.com": ["ChatGPT-User"]}``. A URL
    with a query is another agent than one without, for whoever signs could choose it. Raises ValueError for
    a URL that can't be an agent's, or a product token that isn't in the crawler table.
    """

    def __init__(self, more: Mapping[str, str | Iterable[str]] = MappingProxyType({})) -> None:
        signed = [(crawler.web_bot_auth, crawler.product_token) for crawler in CRAWLERS]
        signed += [(url, token) for url, given in more.items() for token in _tokens(given)]
        self._agents: dict[str, SignatureAgent] = {}
        self._by_directory: dict[str, frozenset[str]] = {}
        for url, token in signed:
            if url is None:
                continue
            try:
                agent = signature_agent(url)
            except ValueError as error:
                raise ValueError(f"{url!r}: {error}") from None
            self._agents[token] = agent
            known = self._by_directory.get(agent.directory, frozenset())
            self._by_directory[agent.directory] = known | {token}

    def knows(self, directory: str) -> bool:
        """Whether it is the directory of one of these agents."""
        return directory in self._by_directory

    def signs_for(self, directory: str) -> frozenset[str]:
        """The product tokens that a signature with a key of ``directory`` verifies."""
        return self._by_directory.get(directory, frozenset())

    def agent_of(self, product_token: str) -> SignatureAgent | None:
        """Who signs for a product token, as the table spells it; the last that was given."""
        return self._agents.get(product_token)


def _tokens(given: str | Iterable[str]) -> list[str]:
    tokens = []
    for name in [given] if isinstance(given, str) else given:
        crawler = crawler_named(name)
        if crawler is None:
            raise ValueError(
                f"{name!r} is no product token of the crawler table: aipolicy crawlers lists them"
            )
        tokens.append(crawler.product_token)
    return tokens
