"""Connecting to public addresses only, whatever a name leads to."""

import ipaddress
import socket
from collections.abc import Iterable

import anyio
import httpcore

from aipolicy.web.public_networks import is_public

_TRIED = 3  # addresses of one name
_LOOPBACK = ("127.0.0.1", "::1")  # where names under .localhost lead, always (RFC 6761 §6.3)


class NotPublicError(Exception):
    """A name, or an address, that leads into a private network."""


class NoSuchNameError(Exception):
    """A name that has no address."""


class PublicBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up once and connects to what it found: a second look-up could say another thing.

    With ``private`` addresses of any kind are connected to.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._addresses(host, port)
        for address in found[1:_TRIED]:
            try:
                return await self._inner.connect_tcp(found[0], port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                found = [address]
        return await self._inner.connect_tcp(found[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        found = await _looked_up(host, port)
        if self._private:
            return found
        public = [address for address in found if _is_public(address)]
        if not public:
            raise NotPublicError(", ".join(found))
        return public


async def _looked_up(host: str, port: int) -> list[str]:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return list(_LOOPBACK)  # whatever a resolver makes of them
    try:
        answers = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoSuchNameError(getattr(error, "strerror", None) or str(error)) from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _is_public(address: str) -> bool:
    return is_public(ipaddress.ip_network(address.partition("%")[0]))
