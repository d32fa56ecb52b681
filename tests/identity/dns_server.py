"""A name server on loopback, over UDP and TCP, with records of a test."""

import contextlib
import socket
import struct
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset

from aipolicy.identity.resolver import WITNESSES

SILENCE = "silence"
SERVFAIL = "SERVFAIL"
REFUSED = "REFUSED"
SHORT = "bytes that are no message"
_OVER_UDP = 512  # RFC 1035 §2.3.4

Records = list[str] | str


class DNSServer:
    """Answers from ``records``: (name, type) → records, or one of the failures above.

    A name that isn't there doesn't exist (NXDOMAIN, with a SOA whose minimum is ``negative`` seconds).
    ``asked`` counts the questions, ``over_tcp`` those that came by TCP.
    """

    def __init__(self, ttl: int = 300, negative: int = 900) -> None:
        self.records: dict[tuple[str, str], Records] = {}
        self.ttl = ttl
        self.negative = negative
        self.asked: Counter[tuple[str, str]] = Counter()
        self.over_tcp = 0
        self._tcp, self._udp = _sockets()
        self.port: int = self._tcp.getsockname()[1]
        self._threads = [threading.Thread(target=run) for run in (self._serve_udp, self._serve_tcp)]
        self._closing = False
        self.pointer(WITNESSES[-1], "witness.example")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def add(self, name: str, kind: str, records: Records) -> None:
        self.records[name.lower(), kind] = records

    def pointer(self, address: str, *names: str) -> None:
        """Add host names of an address."""
        self.add(reverse(address), "PTR", [f"{name}." for name in names])

    def confirmed(self, address: str, name: str) -> None:
        """Add a host name of an address that resolves back to it."""
        self.pointer(address, name)
        self.add(name, "AAAA" if ":" in address else "A", [address])

    def _serve_udp(self) -> None:
        while True:
            query, client = self._udp.recvfrom(4096)
            if self._closing:
                return
            answer = self._answer(query)
            if answer is not None and len(answer) > _OVER_UDP:
                truncated = dns.message.make_response(dns.message.from_wire(query))
                truncated.flags |= dns.flags.TC
                answer = truncated.to_wire()
            if answer is not None:
                self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                if self._closing:
                    return
                (length,) = struct.unpack("!H", connection.recv(2))
                self.over_tcp += 1
                answer = self._answer(connection.recv(length))
                if answer is not None:
                    connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        answer = dns.message.make_response(query)
        seen: set[str] = set()
        while (name, "CNAME") in self.records and name not in seen:
            seen.add(name)
            target = self.records[name, "CNAME"][0]
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "CNAME", target))
            name = target.rstrip(".").lower()
        records = self.records.get((name, kind))
        if records == SILENCE:
            return None
        if records == SHORT:
            return wire[:7]
        if isinstance(records, str):
            answer.set_rcode(dns.rcode.from_text(records))
        elif records:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *records))
        elif not seen:
            soa = f"ns.invalid. root.invalid. 1 2 3 4 {self.negative}"
            answer.authority.append(dns.rrset.from_text(".", 86_400, "IN", "SOA", soa))
            if not any(owner == name for owner, _ in self.records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire(max_size=65_535)


def _sockets() -> tuple[socket.socket, socket.socket]:
    """Return a TCP and a UDP socket with the same port."""
    for _ in range(50):
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp
    raise OSError("no port is free for both TCP and UDP")


def reverse(address: str) -> str:
    return dns.reversename.from_address(address).to_text(omit_final_dot=True)
