"""A proxy between the follower and PostgreSQL that simulates failures of the network."""

import selectors
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto
from types import TracebackType
from typing import Self

from sqlalchemy.engine import URL, make_url


def socket_of(url: URL) -> str:
    """Return the Unix socket of a PostgreSQL server without a port."""
    return f"{url.query['host']}/.s.PGSQL.{url.port or 5432}"


class Network(Enum):
    """A state of the network."""

    SOUND = auto()
    CUT = auto()  # connections are reset, and new ones refused
    SILENT = auto()  # nothing arrives, without an error


class Proxy:
    """A proxy from a TCP port of this machine to the socket of a server, in a thread."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._state = Network.SOUND
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lost: list[tuple[socket.socket, socket.socket]] = []
        self._waker, self._wakeup = socket.socketpair()
        self._orders: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._done = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._order(lambda: setattr(self, "_done", True))
        self._thread.join()
        for end in (self._listener, self._waker, self._wakeup, *sum(self._pairs + self._lost, ())):
            end.close()

    def through(self, url: str) -> str:
        """Return the address ``url`` with the proxy's host and port."""
        here = make_url(url).set(host="127.0.0.1", port=self.port).difference_update_query(["host"])
        return here.render_as_string(hide_password=False)

    def become(self, state: Network) -> None:
        """Switch to ``state``; after SILENT, delayed data is delivered."""
        self._order(lambda: self._become(state))

    def lose(self) -> None:
        """Drop the open connections silently; new ones work."""
        self._order(self._lose)

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._waker.send(b"!")

    def _become(self, state: Network) -> None:
        self._state = state
        if state is Network.CUT:
            for client, server in self._pairs:
                _reset(client)
                server.close()
            self._pairs.clear()

    def _lose(self) -> None:
        self._lost += self._pairs
        self._pairs.clear()

    def _run(self) -> None:
        while not self._done:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wakeup, selectors.EVENT_READ)
                if self._state is not Network.SILENT:
                    selector.register(self._listener, selectors.EVENT_READ)
                    for pair in self._pairs:
                        for end, other in (pair, pair[::-1]):
                            selector.register(end, selectors.EVENT_READ, (pair, other))
                ready = selector.select()
            for key, _ in ready:
                self._serve(key)

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._wakeup:
            self._wakeup.recv(1)
            self._orders.pop(0)()
        elif key.fileobj is self._listener:
            self._accept()
        else:
            pair, other = key.data
            if pair in self._pairs and not _forwarded(key.fileobj, other):
                self._pairs.remove(pair)
                for end in pair:
                    end.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            if self._state is Network.CUT:
                raise ConnectionRefusedError
            server.connect(self._server)
        except OSError:
            server.close()
            _reset(client)
        else:
            self._pairs.append((client, server))


def _forwarded(end: object, other: socket.socket) -> bool:
    assert isinstance(end, socket.socket)
    try:
        data = end.recv(1 << 16)
        other.sendall(data)
    except OSError:
        return False
    return bool(data)


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close() sends RST
    end.close()
