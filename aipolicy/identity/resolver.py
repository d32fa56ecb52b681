"""Forward-confirmed reverse DNS: the host names of an address that lead back to it.

A name that an address has is its owner's claim; only the owner of the name can make it lead back. No answer
is never a *no*: a timeout or a server's failure is an error, and errors are answers here, not raised.
"""

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aipolicy.core.bounded_cache import Memo
from aipolicy.errors import MissingExtraError, ResolverError
from aipolicy.identity.addresses import read_address
from aipolicy.web.public_networks import is_public

if TYPE_CHECKING:
    from dns.name import Name

Question = tuple[str, tuple[str, ...]]
"""An address, and the suffixes of the host names that count."""

Answer = str | ResolverError | None
"""The host name that leads back to the address; None where there is none; an error where nothing is known."""

MOST_NAMES = 8
"""Names of one address that are followed: a crawler has one, and a stranger's may have thousands."""

WITNESSES = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
"""Addresses whose names anyone can ask for: where none has one, no reverse DNS of the Internet is seen.

Name servers behind a firewall often say of all foreign names that they don't exist, which is no answer.
"""


@dataclass(frozen=True, slots=True)
class Trace:
    """What DNS said on the way to ``answer``.

    ``names`` are those of the address, the first ``MOST_NAMES`` of them, ``more`` is how many others it has.
    ``led`` are the names that count, each with the addresses that it leads to, or why none are known.
    """

    answer: Answer
    names: tuple[str, ...] = ()
    more: int = 0
    led: tuple[tuple[str, tuple[str, ...] | ResolverError], ...] = ()


class _Steps:
    """A trace while it is made."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.led: list[tuple[str, tuple[str, ...] | ResolverError]] = []

    def trace(self, answer: Answer) -> Trace:
        names = tuple(name.rstrip(".").lower() for name in self.names[:MOST_NAMES])
        return Trace(answer, names, max(len(self.names) - MOST_NAMES, 0), tuple(self.led))


_REMEMBERED = 1 << 17
_SHOWN = 8  # addresses of a name in a trace
_SHORTEST, _LONGEST = 60.0, 86_400.0  # seconds that an answer is kept, whatever its TTL
_FAILURE = 60.0
# Networks, one after the other, after which nothing is asked for as long: thousands would take hours. Not
# addresses: a stranger has many, all behind one name server that doesn't answer.
_FAILURES = 100


class Resolver:
    """Asks the machine's own name servers, or those given; remembers answers for their TTL.

    ``timeout`` bounds one try, ``patience`` all that is asked about one address (both in seconds). Only
    public addresses are asked about. Safe to share between threads. Raises MissingExtraError without
    dnspython, and ResolverError where the machine has no name server.
    """

    def __init__(
        self,
        *,
        nameservers: Sequence[str] | None = None,
        port: int = 53,
        timeout: float = 2.0,
        patience: float = 8.0,
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
            raise ResolverError(f"this machine has no name servers ({error}): name some") from None
        if nameservers is not None:
            self._dns.nameservers = list(nameservers)
            self._dns.port = port
        self._dns.timeout = timeout
        self._patience = patience
        self._workers = workers
        self._clock = clock
        self._answers: Memo[Question, tuple[float, Answer]] = Memo(_REMEMBERED)
        self._witnessed: tuple[float, bool] | None = None
        self._failed: set[tuple[int, int] | None] = set()
        self._rests_until = clock()

    def ask(self, question: Question) -> Answer:
        """The host name that is a suffix, or ends with a dot and one, and leads back to the address.

        None: the address has no name, another's, or one that leads elsewhere. An error: a timeout, a server's
        failure, more than ``MOST_NAMES`` such names and none of the first leads back; name servers that don't
        know the names of ``WITNESSES`` either.
        """
        remembered = self._answers.get(question)
        if remembered is not None and remembered[0] > self._clock():
            return remembered[1]
        return self.trace(question).answer

    def trace(self, question: Question) -> Trace:
        """As ``ask``, but asked anew, and with what was said on the way."""
        if self._clock() < self._rests_until:
            return Trace(
                ResolverError(f"{question[0]}: not asked about, {_FAILURES} networks in a row failed")
            )
        answer: Answer
        steps = _Steps()
        try:
            answer, seconds = self._confirmed(*question, steps)
            seconds = min(max(seconds, _SHORTEST), _LONGEST)
            self._failed.clear()
        except ResolverError as error:
            # Another one: what was raised holds the frames and messages that it came through, and is kept.
            answer, seconds = ResolverError(str(error)), _FAILURE
            client = read_address(question[0])
            self._failed.add(client.network if client else None)
            if len(self._failed) >= _FAILURES:
                self._failed.clear()
                self._rests_until = self._clock() + _FAILURE
        self._answers.keep(question, (self._clock() + seconds, answer))
        return steps.trace(answer)

    def ask_all(self, questions: Iterable[Question], within: float = 600.0) -> dict[Question, Answer]:
        """The answers, several at a time; after ``within`` seconds nothing more is asked."""
        distinct = list(dict.fromkeys(questions))
        until = self._clock() + within

        def answer(question: Question) -> Answer:
            if self._clock() > until:
                return ResolverError(f"{question[0]}: not asked about, DNS took over {within:g} s")
            return self.ask(question)

        if len(distinct) < 2:  # no threads for one: none can be started any more while the process ends
            return {question: answer(question) for question in distinct}
        with ThreadPoolExecutor(min(self._workers, len(distinct))) as pool:
            return dict(zip(distinct, pool.map(answer, distinct), strict=True))

    def _sees_the_internet(self) -> bool:
        if self._witnessed is None or self._witnessed[0] <= self._clock():
            seen = any(map(self._has_name, WITNESSES))
            self._witnessed = self._clock() + (_LONGEST if seen else _FAILURE), seen
        return self._witnessed[1]

    def _has_name(self, address: str) -> bool:
        import dns.reversename

        try:
            until = self._clock() + self._patience
            return bool(self._records(dns.reversename.from_address(address), "PTR", until)[0])
        except ResolverError:
            return False

    def _confirmed(self, address: str, suffixes: tuple[str, ...], steps: _Steps) -> tuple[str | None, float]:
        import dns.name
        import dns.reversename

        value = ipaddress.ip_address(address)
        if not is_public(ipaddress.ip_network(value)):
            raise ResolverError(f"{address} is not public: nobody is asked about it")
        until = self._clock() + self._patience
        names, seconds = self._records(dns.reversename.from_address(address), "PTR", until)
        steps.names = names
        if not names and not self._sees_the_internet():
            raise ResolverError(f"{address}: the name servers know no names of foreign addresses")
        wanted = [dns.name.from_text(suffix) for suffix in suffixes]
        candidates = [name for name in map(dns.name.from_text, names) if any(map(name.is_subdomain, wanted))]
        failure = None
        if len(candidates) > MOST_NAMES:
            failure = ResolverError(f"{address} has {len(candidates)} such names: at most {MOST_NAMES}")
        for name in candidates[:MOST_NAMES]:
            shown = name.to_text(omit_final_dot=True).lower()
            try:
                found, holds = self._records(name, "A" if value.version == 4 else "AAAA", until)
            except ResolverError as error:
                failure = error
                steps.led.append((shown, ResolverError(str(error))))
                continue
            seconds = min(seconds, holds)
            steps.led.append((shown, tuple(found[:_SHOWN])))
            if value in map(ipaddress.ip_address, found):
                return shown, seconds
        if failure is not None:
            raise failure
        return None, seconds

    def _records(self, name: "Name", kind: str, until: float) -> tuple[list[str], float]:
        """The records of a name as text, none where it has none or doesn't exist, and their TTL."""
        import dns.exception
        import dns.message
        import dns.resolver

        left = until - self._clock()
        if left <= 0:
            raise ResolverError(f"{name}: no answer within {self._patience:g} s")
        try:
            answer = self._dns.resolve(name, kind, raise_on_no_answer=False, lifetime=left, search=False)
        except dns.resolver.NXDOMAIN as error:
            response: dns.message.QueryMessage = error.kwargs["responses"][name]
            return [], response.resolve_chaining().minimum_ttl
        except dns.exception.DNSException as error:
            raise ResolverError(f"{name}: {error}") from None
        records = [] if answer.rrset is None else [record.to_text() for record in answer.rrset]
        return records, answer.chaining_result.minimum_ttl
