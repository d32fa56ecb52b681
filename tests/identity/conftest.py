"""A name server and resolvers that ask it, and the operators' servers."""

from collections.abc import Iterator

import pytest
import trustme

from aipolicy.identity import Resolver
from tests.identity.dns_server import DNSServer
from tests.identity.list_server import ListServer, list_server


@pytest.fixture
def server() -> Iterator[DNSServer]:
    with DNSServer() as running:
        yield running


@pytest.fixture
def resolver(server: DNSServer) -> Resolver:
    return Resolver(nameservers=["127.0.0.1"], port=server.port, timeout=5, total_timeout=20)


@pytest.fixture
def hasty(server: DNSServer) -> Resolver:
    """A resolver with a short timeout, for silent servers."""
    return Resolver(nameservers=["127.0.0.1"], port=server.port, timeout=0.15, total_timeout=0.6)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def lists(authority: trustme.CA) -> Iterator[ListServer]:
    """A server on loopback in place of the operators' servers."""
    with list_server(authority) as running:
        yield running
