"""Forward-confirmed reverse DNS, with a real name server on loopback."""

import subprocess
import sys
import threading
import time

import pytest

from aipolicy.errors import ResolverError
from aipolicy.identity import Resolver
from aipolicy.identity.resolver import MAX_NAMES, WITNESSES, DnsAnswer, DnsQuestion
from aipolicy.identity.stale_cache import StaleCache
from tests.identity.dns_server import REFUSED, SERVFAIL, SHORT, SILENCE, DNSServer, reverse

ADDRESS = "66.249.66.1"
NAME = "crawl-66-249-66-1.googlebot.com"
SUFFIXES = ("googlebot.com", "google.com")


class Clock:
    """A clock that only advances when it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fails(resolver: Resolver, address: str = ADDRESS) -> bool:
    return isinstance(resolver.ask((address, SUFFIXES)), ResolverError)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (ADDRESS, NAME),
        (ADDRESS, "googlebot.com"),
        (ADDRESS, "Rate-Limited-Proxy-66-249-66-1.Google.COM"),
        ("2001:4860:4801:10::1", "crawl.googlebot.com"),
    ],
)
def test_a_name_that_resolves_back_is_confirmed(
    server: DNSServer, resolver: Resolver, address: str, name: str
) -> None:
    server.confirmed(address, name)
    assert resolver.ask((address, SUFFIXES)) == name.lower()


def test_a_name_that_resolves_elsewhere_is_not_confirmed(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, NAME)
    server.add(NAME, "A", ["66.249.66.2", "8.8.8.8"])
    assert resolver.ask((ADDRESS, SUFFIXES)) is None


def test_one_of_several_addresses_of_a_name_is_enough(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, NAME)
    server.add(NAME, "A", ["66.249.66.2", ADDRESS])
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME


def test_one_of_several_names_of_an_address_is_enough(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, "host.example", "old.googlebot.com", NAME)
    server.add(NAME, "A", [ADDRESS])
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME


@pytest.mark.parametrize(
    "name",
    [
        "ec2-3-1-1-1.compute.amazonaws.com",
        "evilgooglebot.com",
        "crawl.evilgooglebot.com",
        "googlebot.com.evil.example",
        "crawl-66-249-66-1.googlebot.com.evil.example",
        "googlebot-com.example",
        r"crawl\.googlebot.com.example",
        r"x\.googlebot.com",
        "com",
    ],
)
def test_a_name_that_only_ends_like_the_suffix_does_not_count(
    server: DNSServer, resolver: Resolver, name: str
) -> None:
    server.confirmed(ADDRESS, name)
    assert resolver.ask((ADDRESS, SUFFIXES)) is None
    assert server.asked == {(reverse(ADDRESS), "PTR"): 1}


def test_a_missing_ptr_is_an_answer(server: DNSServer, resolver: Resolver) -> None:
    assert resolver.ask((ADDRESS, SUFFIXES)) is None


def test_an_empty_ptr_answer_is_an_answer(server: DNSServer, resolver: Resolver) -> None:
    server.add(reverse(ADDRESS), "TXT", ['"nothing"'])
    assert resolver.ask((ADDRESS, SUFFIXES)) is None


@pytest.mark.parametrize("records", [{}, {"TXT": ['"nothing"']}, {"AAAA": ["2001:4860:4801:10::1"]}])
def test_a_name_without_an_address_is_not_confirmed(
    server: DNSServer, resolver: Resolver, records: dict[str, list[str]]
) -> None:
    server.pointer(ADDRESS, NAME)
    for kind, values in records.items():
        server.add(NAME, kind, values)
    assert resolver.ask((ADDRESS, SUFFIXES)) is None


@pytest.mark.parametrize("failure", [SERVFAIL, REFUSED, SILENCE, SHORT])
@pytest.mark.parametrize("forward", [False, True])
def test_an_error_is_not_an_answer(server: DNSServer, hasty: Resolver, failure: str, forward: bool) -> None:
    server.pointer(ADDRESS, NAME)
    server.add(*((NAME, "A") if forward else (reverse(ADDRESS), "PTR")), failure)
    assert fails(hasty)


def test_no_server_is_an_error() -> None:
    with DNSServer() as closed:
        pass
    assert fails(Resolver(nameservers=["127.0.0.1"], port=closed.port, timeout=0.1, total_timeout=0.2))


def test_an_error_for_one_name_does_not_hide_a_confirmed_one(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, "broken.googlebot.com", NAME)
    server.add("broken.googlebot.com", "A", SERVFAIL)
    server.add(NAME, "A", [ADDRESS])
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME
    server.add(NAME, "A", ["66.249.66.2"])
    assert isinstance(resolver.ask((ADDRESS, SUFFIXES[:1])), ResolverError)


def test_a_silent_server_times_out_after_the_total_timeout(server: DNSServer, hasty: Resolver) -> None:
    server.pointer(ADDRESS, *(f"crawl-{n}.googlebot.com" for n in range(MAX_NAMES)))
    for n in range(MAX_NAMES):
        server.add(f"crawl-{n}.googlebot.com", "A", SILENCE)
    assert fails(hasty)
    asked = [name for name, kind in server.asked if kind == "A"]
    assert len(asked) < MAX_NAMES, "its patience is for all of them together"


def test_only_a_few_of_a_thousand_names_are_resolved(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, *(f"crawl-{n}.googlebot.com" for n in range(1000)))
    assert fails(resolver)
    assert server.over_tcp == 1
    assert sum(kind == "A" for _, kind in server.asked.elements()) == MAX_NAMES


def test_a_name_among_a_thousand_others_is_found(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, *(f"host-{n}.example" for n in range(1000)), NAME)
    server.add(NAME, "A", [ADDRESS])
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME


def test_a_delegated_reverse_zone_is_followed(server: DNSServer, resolver: Resolver) -> None:
    """RFC 2317: the reverse name is an alias in another zone."""
    server.add(reverse(ADDRESS), "CNAME", ["1.0-63.66.249.66.in-addr.arpa."])
    server.add("1.0-63.66.249.66.in-addr.arpa", "PTR", [f"{NAME}."])
    server.add(NAME, "A", [ADDRESS])
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME


def test_a_loop_of_aliases_is_an_error(server: DNSServer, resolver: Resolver) -> None:
    server.add(reverse(ADDRESS), "CNAME", ["loop.example."])
    server.add("loop.example", "CNAME", [f"{reverse(ADDRESS)}."])
    assert fails(resolver)


def test_a_loop_of_aliases_of_the_name_is_an_error(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, NAME)
    server.add(NAME, "CNAME", ["loop.example."])
    server.add("loop.example", "CNAME", [f"{NAME}."])
    assert fails(resolver)


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "192.0.2.1", "224.0.0.1", "::1", "fe80::1", "2001:db8::1"]
)
def test_only_public_addresses_are_asked_about(server: DNSServer, resolver: Resolver, address: str) -> None:
    assert fails(resolver, address)
    assert not server.asked


def test_answers_are_cached_for_their_ttl_and_errors_for_a_minute(server: DNSServer) -> None:
    clock = Clock()
    resolver = Resolver(nameservers=["127.0.0.1"], port=server.port, timeout=5, total_timeout=20, clock=clock)
    pointer = (reverse(ADDRESS), "PTR")

    def asked_after(seconds: float) -> int:
        clock.now += seconds
        resolver.ask((ADDRESS, SUFFIXES))
        return server.asked[pointer]

    server.confirmed(ADDRESS, NAME)
    assert [asked_after(0), asked_after(299), asked_after(2)] == [1, 1, 2]
    server.ttl = 1
    assert [asked_after(301), asked_after(59), asked_after(2)] == [3, 3, 4]
    server.records[pointer] = SERVFAIL
    assert [asked_after(61), asked_after(59), asked_after(2)] == [5, 5, 6]
    del server.records[pointer]
    assert [asked_after(61), asked_after(899), asked_after(2)] == [7, 7, 8]


def test_addresses_are_looked_up_in_parallel(server: DNSServer, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(nameservers=["127.0.0.1"], port=server.port, timeout=3, total_timeout=3)
    questions = [(f"66.249.{n}.1", SUFFIXES) for n in range(32)]
    for address, _ in questions:
        server.add(reverse(address), "PTR", SILENCE)
    server.confirmed("8.8.8.8", "dns.google.com")
    together = threading.Barrier(32)
    ask = resolver.ask

    def asking(question: DnsQuestion) -> DnsAnswer:
        if question[0].startswith("66.249."):
            together.wait(60)  # breaks, and fails the test, where fewer are asked at a time
        return ask(question)

    monkeypatch.setattr(resolver, "ask", asking)
    answers = resolver.ask_all([*questions, *questions, ("8.8.8.8", SUFFIXES)])
    assert answers.pop(("8.8.8.8", SUFFIXES)) == "dns.google.com"
    assert len(answers) == 32
    assert all(isinstance(answer, ResolverError) for answer in answers.values())


def test_no_questions_are_asked_after_the_time_limit(server: DNSServer) -> None:
    resolver = Resolver(
        nameservers=["127.0.0.1"], port=server.port, timeout=0.2, total_timeout=0.2, workers=1
    )
    questions = [(f"66.249.{n}.1", SUFFIXES) for n in range(200)]
    for address, _ in questions:
        server.add(reverse(address), "PTR", SILENCE)
    answers = resolver.ask_all(questions, within=0.1)
    assert all(isinstance(answer, ResolverError) for answer in answers.values())
    assert server.asked.total() < 5


def test_look_ups_pause_after_many_failures(server: DNSServer) -> None:
    clock = Clock()
    resolver = Resolver(nameservers=["127.0.0.1"], port=server.port, clock=clock)
    for n in range(250):
        address = f"66.249.{n}.1"
        server.add(reverse(address), "PTR", REFUSED)
        assert fails(resolver, address)
    assert len(server.asked) == 100
    server.confirmed(ADDRESS, NAME)
    clock.now += 61
    assert resolver.ask((ADDRESS, SUFFIXES)) == NAME


@pytest.mark.parametrize("network", ["66.249.66.{}", "2a02:1234:1:1::{}", "2a02:1234:1:{}::1"])
def test_failures_of_one_network_do_not_pause_look_ups(
    server: DNSServer, resolver: Resolver, network: str
) -> None:
    for n in range(1, 111):
        server.add(reverse(network.format(n)), "PTR", REFUSED)
        assert fails(resolver, network.format(n))
    server.confirmed("66.249.67.1", NAME)
    assert resolver.ask(("66.249.67.1", SUFFIXES)) == NAME


def test_cached_errors_hold_no_frames(server: DNSServer, resolver: Resolver) -> None:
    """Frames and messages of thousands of errors would fill the memory."""
    server.add(reverse(ADDRESS), "PTR", SERVFAIL)
    answer = resolver.ask((ADDRESS, SUFFIXES))
    assert isinstance(answer, ResolverError)
    assert (answer.__traceback__, answer.__context__, answer.__cause__) == (None, None, None)


def test_the_cache_is_bounded(server: DNSServer, resolver: Resolver) -> None:
    resolver._answers = StaleCache(10, time.monotonic)
    for n in range(1, 25):
        resolver.ask((f"66.249.66.{n}", SUFFIXES))
        assert len(resolver._answers) <= 10
    resolver.ask(("66.249.66.24", SUFFIXES))
    assert server.asked[reverse("66.249.66.24"), "PTR"] == 1


def test_a_trace_has_the_records_that_led_to_the_answer(server: DNSServer, resolver: Resolver) -> None:
    server.pointer(ADDRESS, "host.example", "old.googlebot.com", "broken.googlebot.com")
    server.add("old.googlebot.com", "A", ["66.249.66.2"])
    server.add("broken.googlebot.com", "A", SERVFAIL)
    trace = resolver.trace((ADDRESS, SUFFIXES))
    assert isinstance(trace.answer, ResolverError)
    assert sorted(trace.names) == ["broken.googlebot.com", "host.example", "old.googlebot.com"]
    resolved = dict(trace.resolved)
    assert resolved["old.googlebot.com"] == ("66.249.66.2",)
    assert isinstance(resolved.pop("broken.googlebot.com"), ResolverError)
    assert len(resolved) == 1


def test_a_trace_asks_dns_and_fills_the_cache(server: DNSServer, resolver: Resolver) -> None:
    server.confirmed(ADDRESS, NAME)
    for times in (1, 2):
        trace = resolver.trace((ADDRESS, SUFFIXES))
        assert (trace.answer, trace.names, trace.resolved) == (NAME, (NAME,), ((NAME, (ADDRESS,)),))
        assert resolver.ask((ADDRESS, SUFFIXES)) == NAME
        assert server.asked[reverse(ADDRESS), "PTR"] == times


def test_without_name_servers_the_answer_is_an_error() -> None:
    assert fails(Resolver(nameservers=[]))


def test_no_questions_have_no_answers(resolver: Resolver) -> None:
    assert resolver.ask_all([]) == {}


def test_without_dnspython_the_error_has_the_install_command() -> None:
    code = (
        "import sys; sys.modules['dns'] = None\n"
        "from aipolicy.identity import IdentityChecker, Identity, Resolver\n"
        "from aipolicy.errors import MissingExtraError\n"
        "assert IdentityChecker().identify('GPTBot', '132.196.86.1') is Identity.VERIFIED\n"
        "try: Resolver()\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'asgi-aipolicy[check]'" in done.stdout


def test_dns_is_loaded_only_by_a_resolver() -> None:
    code = "import sys, aipolicy.identity; print('dns' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


def test_a_name_server_without_public_names_proves_no_forgery(server: DNSServer, resolver: Resolver) -> None:
    server.records.clear()
    answers = [resolver.ask((address, ("bot.example",))) for address in ("66.249.66.1", "66.249.66.2")]
    assert all(isinstance(answer, ResolverError) for answer in answers)
    assert {server.asked[reverse(address), "PTR"] for address in WITNESSES} == {1}
