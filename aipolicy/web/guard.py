"""A network backend that connects only to public addresses."""

import ipaddress
import socket
from collections.abc import Iterable

import anyio
import httpcore

from aipolicy.web.networks import is_public

_MAX_ADDRESSES = 3  # of one name that are tried
_LOOPBACK = ("127.0.0.1", "::1")  # the addresses of names under .localhost (RFC 6761 §6.3)


class NotPublicError(Exception):
    """The addresses of a name are in a private network."""


class NoSuchNameError(Exception):
    """A name has no address."""


class PublicBackend(httpcore.AsyncNetworkBackend):
    """A backend for httpcore that resolves a name once, checks the addresses and connects to one of them.

    A second look-up could return another address (DNS rebinding). With ``private``, private addresses are
    allowed.
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
        for address in found[1:_MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(found[0], port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                found = [address]
        return await self._inner.connect_tcp(found[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        found = await _resolve(host, port)
        if self._private:
            return found
        public = [address for address in found if _is_public(address)]
        if not public:
            raise NotPublicError(", ".join(found))
        return public


async def _resolve(host: str, port: int) -> list[str]:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return list(_LOOPBACK)  # without asking a resolver
    try:
        answers = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoSuchNameError(getattr(error, "strerror", None) or str(error)) from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _is_public(address: str) -> bool:
    return is_public(ipaddress.ip_network(address.partition("%")[0]))
