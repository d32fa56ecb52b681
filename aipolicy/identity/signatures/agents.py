"""Signature agents: the URL that identifies a signer, the location of its keys, and its crawlers.

draft-ietf-webbotauth-httpsig-protocol-01 §4 and §6: the URL is the identifier, and is fetched as it was sent.
In older drafts it was an origin, with its keys at the well-known URI. Both forms are in use.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from aipolicy.core.crawlers import CRAWLERS, crawler_named
from aipolicy.core.paths import without_dot_segments

WELL_KNOWN = "/.well-known/http-message-signatures-directory"

_MAX_CHARACTERS = 2048
_URL = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")  # RFC 3986 §2
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True)
class SignatureAgent:
    """A signer.

    Attributes:
        url: Its identifier, normalised (RFC 3986 §6.2.2, §6.2.3), without a query. An origin has no slash.
        directory: The URL of its keys, with its query.
    """

    url: str
    directory: str


def signature_agent(text: str, kind: str = "directory") -> SignatureAgent:
    """Parse the value of a Signature-Agent member.

    Args:
        text: The URL.
        kind: The ``type`` of older drafts. Only an origin of type ``directory`` has its keys at the
            well-known URI.

    Raises:
        ValueError: It can't be an agent's URL.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"the signature agent's URL is longer than {_MAX_CHARACTERS} characters")
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
    """Return True if the directory is at the well-known URI, which only the host's operator can use."""
    return urlsplit(directory).path == WELL_KNOWN


def _host(parts: SplitResult) -> str:
    if parts.fragment or "@" in parts.netloc or parts.netloc.endswith(":"):
        raise ValueError("the signature agent's URL has a user name, an empty port or a fragment: remove it")
    host = parts.netloc.lower().rpartition(":")[0] if parts.port is not None else parts.netloc.lower()
    if not _HOST.fullmatch(host):
        raise ValueError("the signature agent's URL has no host")
    return host


def _path(path: str) -> str:
    """Normalise a path: upper-case escapes, no unnecessary ones, no dot segments (RFC 3986 §5.2.4)."""

    def escape(match: re.Match[str]) -> str:
        if match[1] is None:
            raise ValueError("the signature agent's URL has a % without two hexadecimal digits")
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.fullmatch(character) else f"%{match[1].upper()}"

    return without_dot_segments(_ESCAPE.sub(escape, path))


class Agents:
    """The signature agents of product tokens: those of the crawler table, and more.

    Args:
        more: Product tokens by agent URL: ``{"https://chatgpt.com": ["ChatGPT-User"]}``. URLs with different
            queries are different agents, because the signer chooses the query.

    Raises:
        ValueError: A URL can't be an agent's, or a product token isn't in the crawler table.
    """

    def __init__(self, more: Mapping[str, str | Iterable[str]] = MappingProxyType({})) -> None:
        signed = [(crawler.web_bot_auth, crawler.product_token) for crawler in CRAWLERS]
        signed += [(url, token) for url, names in more.items() for token in _tokens(names)]
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
        """Return True if it is the directory of one of these agents."""
        return directory in self._by_directory

    def signs_for(self, directory: str) -> frozenset[str]:
        """Return the product tokens that a signature with a key of ``directory`` verifies."""
        return self._by_directory.get(directory, frozenset())

    def agent_of(self, product_token: str) -> SignatureAgent | None:
        """Return the agent that signs for a product token, spelt as in the table; the last one added."""
        return self._agents.get(product_token)


def _tokens(names: str | Iterable[str]) -> list[str]:
    tokens = []
    for name in [names] if isinstance(names, str) else names:
        crawler = crawler_named(name)
        if crawler is None:
            raise ValueError(
                f"product token {name!r} is not in the crawler table; `aipolicy crawlers` lists it"
            )
        tokens.append(crawler.product_token)
    return tokens
