"""Forward-confirmed reverse DNS: the host name of an address that resolves back to the address.

The owner of an address can give it any name, but only the owner of the name can make it resolve to the
address. A timeout or a server's failure is never taken for "no name": it is an error, which is returned and
not raised.
"""

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aipolicy.errors import MissingExtraError, ResolverError
from aipolicy.identity.addresses import read_address
from aipolicy.identity.stale_cache import StaleCache
from aipolicy.web.networks import is_public

if TYPE_CHECKING:
    from dns.name import Name

DnsQuestion = tuple[str, tuple[str, ...]]
"""An address, and the host name suffixes that count."""

DnsAnswer = str | ResolverError | None
"""The host name that resolves back to the address; None if there is none; an error if DNS failed."""

MAX_NAMES = 8
"""Maximum number of names of one address that are resolved: a crawler has one, others may have thousands."""

WITNESSES = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
"""Addresses that have public names. If none of them has one, the name servers don't see the Internet.

Behind a firewall, name servers often answer that no external name exists, which proves nothing.
"""


@dataclass(frozen=True, slots=True)
class DnsTrace:
    """The records of DNS that led to an answer.

    Attributes:
        answer: The answer.
        names: The first ``MAX_NAMES`` host names of the address.
        more: The number of its other names.
        resolved: The names with a suffix that counts, each with its addresses or the error.
    """

    answer: DnsAnswer
    names: tuple[str, ...] = ()
    more: int = 0
    resolved: tuple[tuple[str, tuple[str, ...] | ResolverError], ...] = ()


class _Steps:
    """A trace that is being made."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.resolved: list[tuple[str, tuple[str, ...] | ResolverError]] = []

    def trace(self, answer: DnsAnswer) -> DnsTrace:
        names = tuple(name.rstrip(".").lower() for name in self.names[:MAX_NAMES])
        return DnsTrace(answer, names, max(len(self.names) - MAX_NAMES, 0), tuple(self.resolved))


_MAX_ANSWERS = 1 << 17
_MAX_ADDRESSES = 8  # of a name in a trace
_MIN_TTL, _MAX_TTL = 60.0, 86_400.0  # seconds that an answer is cached, whatever its TTL
_FAILURE_TTL = 60.0
# After failures for this many networks in a row, DNS is not asked for _FAILURE_TTL: thousands of timeouts
# would take hours. Networks and not addresses, because one silent name server can serve many addresses.
_MAX_FAILURES = 100


class Resolver:
    """A resolver that caches answers for their TTL. It asks only about public addresses. Thread-safe.

    Args:
        nameservers: Name servers to ask; by default the machine's.
        port: Their port.
        timeout: Seconds for one try.
        total_timeout: Seconds for all questions about one address.
        workers: Maximum number of threads of ``ask_all``.
        clock: Returns the time in seconds.

    Raises:
        MissingExtraError: dnspython is not installed.
        ResolverError: The machine has no name server.
    """

    def __init__(
        self,
        *,
        nameservers: Sequence[str] | None = None,
        port: int = 53,
        timeout: float = 2.0,
        total_timeout: float = 8.0,
        workers: int = 32,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            import dns.exception
            import dns.resolver
        except ImportError:
            raise MissingExtraError.for_extra("reverse DNS needs dnspython", "check") from None
        try:
            self._dns = dns.resolver.Resolver(configure=nameservers is None)
        except dns.exception.DNSException as error:
            raise ResolverError(f"this machine has no name servers ({error}); configure one") from None
        if nameservers is not None:
            self._dns.nameservers = list(nameservers)
            self._dns.port = port
        self._dns.timeout = timeout
        self._total_timeout = total_timeout
        self._workers = workers
        self._clock = clock
        self._answers: StaleCache[DnsQuestion, DnsAnswer] = StaleCache(_MAX_ANSWERS, clock)
        self._sees_internet: tuple[float, bool] | None = None
        self._failed: set[tuple[int, int] | None] = set()
        self._paused_until = clock()

    def ask(self, question: DnsQuestion) -> DnsAnswer:
        """Return the host name that has one of the suffixes and resolves back to the address.

        Returns:
            None if the address has no such name. An error after a timeout or a server's failure; if the
            address has more than ``MAX_NAMES`` such names and none of the first resolves back; or if the
            name servers don't know the names of ``WITNESSES`` either.
        """
        cached = self._answers.usable(question)
        return self.trace(question).answer if cached is None else cached.value

    def trace(self, question: DnsQuestion) -> DnsTrace:
        """Return the answer of ``ask``, not from the cache, with the records that led to it."""
        if self._clock() < self._paused_until:
            reason = f"{question[0]}: not looked up, because DNS failed for {_MAX_FAILURES} networks in a row"
            return DnsTrace(ResolverError(reason))
        answer: DnsAnswer
        steps = _Steps()
        try:
            answer, seconds = self._confirmed(*question, steps)
            seconds = min(max(seconds, _MIN_TTL), _MAX_TTL)
            self._failed.clear()
        except ResolverError as error:
            # A copy, because the cached error would keep the stack frames and DNS messages of the original.
            answer, seconds = ResolverError(str(error)), _FAILURE_TTL
            client = read_address(question[0])
            self._failed.add(client.network if client else None)
            if len(self._failed) >= _MAX_FAILURES:
                self._failed.clear()
                self._paused_until = self._clock() + _FAILURE_TTL
        self._answers.put(question, answer, refresh_after=seconds, expire_after=seconds)
        return steps.trace(answer)

    def ask_all(
        self, questions: Iterable[DnsQuestion], within: float = 600.0
    ) -> dict[DnsQuestion, DnsAnswer]:
        """Return the answers, asked in parallel; after ``within`` seconds no more questions are asked."""
        distinct = list(dict.fromkeys(questions))
        until = self._clock() + within

        def answer(question: DnsQuestion) -> DnsAnswer:
            if self._clock() > until:
                return ResolverError(f"{question[0]}: not looked up, because DNS took over {within:g} s")
            return self.ask(question)

        if len(distinct) < 2:  # without a thread, because none can be started while the process ends
            return {question: answer(question) for question in distinct}
        with ThreadPoolExecutor(min(self._workers, len(distinct))) as pool:
            return dict(zip(distinct, pool.map(answer, distinct), strict=True))

    def _sees_the_internet(self) -> bool:
        if self._sees_internet is None or self._sees_internet[0] <= self._clock():
            found = any(map(self._has_name, WITNESSES))
            self._sees_internet = self._clock() + (_MAX_TTL if found else _FAILURE_TTL), found
        return self._sees_internet[1]

    def _has_name(self, address: str) -> bool:
        import dns.reversename

        try:
            until = self._clock() + self._total_timeout
            return bool(self._records(dns.reversename.from_address(address), "PTR", until)[0])
        except ResolverError:
            return False

    def _confirmed(self, address: str, suffixes: tuple[str, ...], steps: _Steps) -> tuple[str | None, float]:
        import dns.name
        import dns.reversename

        value = ipaddress.ip_address(address)
        if not is_public(ipaddress.ip_network(value)):
            raise ResolverError(f"{address} is not a public address, so DNS is not asked")
        until = self._clock() + self._total_timeout
        names, seconds = self._records(dns.reversename.from_address(address), "PTR", until)
        steps.names = names
        if not names and not self._sees_the_internet():
            raise ResolverError(f"{address}: the name servers know no names of public addresses")
        wanted = [dns.name.from_text(suffix) for suffix in suffixes]
        candidates = [name for name in map(dns.name.from_text, names) if any(map(name.is_subdomain, wanted))]
        failure = None
        if len(candidates) > MAX_NAMES:
            reason = f"{address} has {len(candidates)} such names, and only {MAX_NAMES} were resolved"
            failure = ResolverError(reason)
        for name in candidates[:MAX_NAMES]:
            text = name.to_text(omit_final_dot=True).lower()
            try:
                found, ttl = self._records(name, "A" if value.version == 4 else "AAAA", until)
            except ResolverError as error:
                failure = error
                steps.resolved.append((text, ResolverError(str(error))))
                continue
            seconds = min(seconds, ttl)
            steps.resolved.append((text, tuple(found[:_MAX_ADDRESSES])))
            if value in map(ipaddress.ip_address, found):
                return text, seconds
        if failure is not None:
            raise failure
        return None, seconds

    def _records(self, name: "Name", kind: str, until: float) -> tuple[list[str], float]:
        """Return the records of a name as text, and their TTL; none if it has none or doesn't exist."""
        import dns.exception
        import dns.message
        import dns.resolver

        left = until - self._clock()
        if left <= 0:
            raise ResolverError(f"{name}: no answer within {self._total_timeout:g} s")
        try:
            answer = self._dns.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=False)
        except dns.resolver.NXDOMAIN as error:
            response: dns.message.QueryMessage = error.kwargs["responses"][name]
            return [], response.resolve_chaining().minimum_ttl
        except dns.exception.DNSException as error:
            raise ResolverError(f"{name}: {error}") from None
        records = [] if answer.rrset is None else [record.to_text() for record in answer.rrset]
        return records, answer.chaining_result.minimum_ttl
