"""Live clients: addresses, host names and signatures, without waiting."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme

from aipolicy.identity import Identity, Resolver, Verification, VerificationResult
from aipolicy.identity.reverse_dns import ReverseDns
from aipolicy.web.fetcher import Fetcher
from tests.effort import calls
from tests.identity.address_lists import CHATGPT, GPTBOT, RANGES, UNLISTED
from tests.identity.dns_server import SERVFAIL, SILENCE, DNSServer, reverse
from tests.identity.signatures.signing import Clock, Signer
from tests.web.server import Server, answer, localhost, trusting

PATH = "/.well-known/http-message-signatures-directory"
CA = trustme.CA()
SIGNER = Signer()
YANDEX = "5.255.253.1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verification(resolver: Resolver, clock: Clock) -> Verification:
    return Verification(RANGES, resolver=resolver, clock=clock)


@pytest.fixture
async def signing() -> AsyncIterator[Server]:
    """The server of a signature agent."""
    async with localhost(CA) as running:
        running.answers[PATH] = answer(SIGNER.directory)
        yield running


def fetcher_inside() -> Fetcher:
    return Fetcher(allow_private=True, seconds=5, tls=trusting(CA))


Trusts = Callable[..., Verification]


@pytest.fixture
def signed_for(signing: Server, clock: Clock) -> Trusts:
    """Return a function that makes a verification with an agent for some product tokens."""

    def make(*tokens: str, **options: Any) -> Verification:
        agents = {signing.origin: list(tokens)}
        return Verification(RANGES, dns=False, agents=agents, fetcher=fetcher_inside, clock=clock, **options)

    return make


def summary(result: VerificationResult) -> tuple[Identity, bool, bool]:
    return result.identity, result.counts, result.pending


@pytest.mark.parametrize(
    ("token", "address", "identity", "counts", "reason"),
    [
        ("GPTBot", GPTBOT, Identity.VERIFIED, True, "its operator publishes its address"),
        ("gptbot", "::ffff:132.196.86.5", Identity.VERIFIED, True, "its operator publishes its address"),
        ("GPTBot", "2600:1f00::7", Identity.VERIFIED, True, "its operator publishes its address"),
        ("GPTBot", UNLISTED, Identity.SPOOFED, False, "its operator doesn't publish its address"),
        (
            "GPTBot",
            CHATGPT,
            Identity.OPERATOR_VERIFIED,
            False,
            "its operator publishes its address, for others of its crawlers",
        ),
        (
            "GoogleOther",
            "66.249.64.5",
            Identity.OPERATOR_VERIFIED,
            True,
            "its operator publishes its address, for this crawler and others",
        ),
        (
            "GoogleOther",
            "66.249.80.5",
            Identity.OPERATOR_VERIFIED,
            False,
            "its operator publishes its address, for others of its crawlers",
        ),
        ("GPTBot", None, Identity.CHECK_FAILED, False, "its address is not known"),
        ("GPTBot", "unix:", Identity.CHECK_FAILED, False, "its address is not known"),
        (
            "GPTBot",
            "127.0.0.1",
            Identity.CHECK_FAILED,
            False,
            "its address is not known: the request comes from a proxy",
        ),
        (
            "GPTBot",
            "10.0.0.1",
            Identity.CHECK_FAILED,
            False,
            "its address is not known: the request comes from a proxy",
        ),
        ("AI2Bot", UNLISTED, Identity.UNVERIFIABLE, False, "its operator publishes nothing to verify it by"),
        (
            "ClaudeBot",
            UNLISTED,
            Identity.UNVERIFIABLE,
            False,
            "the checks that its operator publishes don't decide",
        ),
        ("NoBot", UNLISTED, Identity.UNVERIFIABLE, False, "it is not in the crawler table"),
    ],
)
def test_a_published_address_verifies_at_once(
    clock: Clock, token: str, address: str | None, identity: Identity, counts: bool, reason: str
) -> None:
    result = Verification(RANGES, dns=False, clock=clock).verify(token, address)
    assert (result.identity, result.counts, result.reason) == (identity, counts, reason)
    assert not result.pending


def test_an_address_of_a_live_client_is_not_masked(clock: Clock) -> None:
    """In a log, an address that ends in zero may stand for 256 addresses."""
    verification = Verification(RANGES, dns=False, clock=clock)
    assert summary(verification.verify("GPTBot", "132.196.86.0")) == (Identity.VERIFIED, True, False)
    assert summary(verification.verify("GPTBot", "132.196.87.0")) == (Identity.SPOOFED, False, False)
    assert summary(verification.verify("GPTBot", "2600:1f00::")) == (Identity.VERIFIED, True, False)
    assert summary(verification.verify("GPTBot", "2600:1f00:1::")) == (Identity.SPOOFED, False, False)


def test_a_host_name_verifies_later_requests(server: DNSServer, verification: Verification) -> None:
    server.confirmed(YANDEX, "spider-5-255-253-1.yandex.com")
    before = verification.verify("YandexBot", YANDEX)
    assert summary(before) == (Identity.CHECK_FAILED, False, True)
    assert before.reason == "its host name is being looked up"
    verification.wait_until_idle()
    after = verification.verify("YandexBot", YANDEX)
    assert (after.counts, after.pending, after.reason) == (
        True,
        False,
        "its operator publishes its host name",
    )
    assert sum(server.asked.values()) >= 2


def test_a_missing_or_foreign_host_name_is_a_forgery(server: DNSServer, verification: Verification) -> None:
    server.confirmed(UNLISTED, "dns.google")
    server.confirmed("1.1.1.1", "one.one.one.one")
    for address in (UNLISTED, "5.5.5.5"):
        assert verification.verify("YandexBot", address).pending
    verification.wait_until_idle()
    for address in (UNLISTED, "5.5.5.5"):
        result = verification.verify("YandexBot", address)
        assert summary(result) == (Identity.SPOOFED, False, False)
        assert result.reason == "its operator publishes neither its address nor its host name"


def test_a_host_name_of_another_crawler_of_the_operator_does_not_count(
    server: DNSServer, verification: Verification
) -> None:
    """Google's fetchers that users trigger have other host names than its crawlers."""
    names = [
        "crawl-66-249-90-1.googlebot.com",
        "geo-crawl-66-249-90-2.geo.googlebot.com",
        "1.gae.googleusercontent.com",
        "google-proxy-66-249-90-4.google.com",
        "rate-limited-proxy-66-249-90-5.google.com",
    ]
    addresses = [f"66.249.90.{number}" for number in range(1, 6)]
    for address, name in zip(addresses, names, strict=True):
        server.confirmed(address, name)
        verification.verify("GoogleOther", address)
    verification.wait_until_idle()
    for address in addresses[:2]:
        assert summary(verification.verify("GoogleOther", address)) == (
            Identity.OPERATOR_VERIFIED,
            True,
            False,
        )
    for address in addresses[2:]:
        other = verification.verify("GoogleOther", address)
        assert summary(other) == (Identity.OPERATOR_VERIFIED, False, False)
        assert other.reason == "its operator publishes its host name, for others of its crawlers"


def test_a_dns_error_proves_no_forgery_and_is_retried(
    server: DNSServer, resolver: Resolver, clock: Clock
) -> None:
    verification = Verification(RANGES, resolver=resolver, clock=clock)
    server.add(reverse(YANDEX), "PTR", SERVFAIL)
    verification.verify("YandexBot", YANDEX)
    verification.wait_until_idle()
    result = verification.verify("YandexBot", YANDEX)
    assert summary(result) == (Identity.CHECK_FAILED, False, False)
    assert result.reason == "its host name could not be looked up"
    clock.now += 60
    assert verification.verify("YandexBot", YANDEX).pending


def test_the_lists_are_asked_before_dns(server: DNSServer, verification: Verification) -> None:
    assert verification.verify("Googlebot", "66.249.64.5").counts
    verification.wait_until_idle()
    assert not server.asked


def test_without_dns_no_name_server_is_asked(clock: Clock) -> None:
    result = Verification(RANGES, dns=False, clock=clock).verify("YandexBot", YANDEX)
    assert summary(result) == (Identity.UNVERIFIABLE, False, False)


async def test_a_signature_verifies_after_its_keys_are_read(signing: Server, signed_for: Trusts) -> None:
    verification = signed_for("GPTBot")
    request = SIGNER.sign(agent=f'sig1="{signing.origin}"')
    before = verification.verify("GPTBot", UNLISTED, request)
    assert summary(before) == (Identity.CHECK_FAILED, False, True)
    assert "have not been read yet" in before.reason
    await asyncio.to_thread(verification.wait_until_idle)
    after = verification.verify("GPTBot", UNLISTED, request)
    assert summary(after) == (Identity.VERIFIED, True, False)
    assert after.reason == f"it signs as {signing.origin}"
    assert after.signature is not None
    assert after.signature.keyid == SIGNER.keyid


async def test_a_signature_does_not_verify_a_crawler_of_another_operator(
    signing: Server, signed_for: Trusts
) -> None:
    verification = signed_for("YouBot")
    request = SIGNER.sign(agent=f'sig1="{signing.origin}"')
    for token in ("GPTBot", "Manus-User", "YouBot"):  # whose operator never signs, does, and is this one
        verification.verify(token, UNLISTED, request)
    await asyncio.to_thread(verification.wait_until_idle)
    assert summary(verification.verify("YouBot", UNLISTED, request)) == (Identity.VERIFIED, True, False)
    assert summary(verification.verify("GPTBot", UNLISTED, request)) == (Identity.SPOOFED, False, False)
    assert summary(verification.verify("Manus-User", UNLISTED, request)) == (
        Identity.UNVERIFIABLE,
        False,
        False,
    )


async def test_a_signature_of_another_crawler_of_the_operator_does_not_count(
    signing: Server, signed_for: Trusts
) -> None:
    verification = signed_for("ChatGPT-User")
    request = SIGNER.sign(agent=f'sig1="{signing.origin}"')
    verification.verify("ChatGPT-User", None, request)
    await asyncio.to_thread(verification.wait_until_idle)
    result = verification.verify("GPTBot", UNLISTED, request)
    assert (result.counts, result.pending) == (False, False)
    assert f"it signs as another crawler, {signing.origin}" in result.reason


async def test_an_invalid_signature_is_a_forgery_if_nothing_else_decides(
    signing: Server, signed_for: Trusts
) -> None:
    verification = signed_for("AI2Bot", "GPTBot")
    request = SIGNER.sign(url="https://another.example/post", agent=f'sig1="{signing.origin}"')
    elsewhere = type(request)(request.method, "https://blog.example/post", request.headers)
    verification.verify("AI2Bot", UNLISTED, elsewhere)
    await asyncio.to_thread(verification.wait_until_idle)
    result = verification.verify("AI2Bot", UNLISTED, elsewhere)
    assert summary(result) == (Identity.SPOOFED, False, False)
    assert "the signature does not verify" in result.reason
    # But an address that is published stays one: a proxy may have changed what was signed.
    assert summary(verification.verify("GPTBot", GPTBOT, elsewhere)) == (Identity.VERIFIED, True, False)


@pytest.mark.parametrize("token", ["AI2Bot", "GPTBot"])  # without lists of addresses, and with some
async def test_an_unreadable_directory_proves_no_forgery(
    signing: Server, signed_for: Trusts, token: str
) -> None:
    signing.answers[PATH] = answer(b"", status="500 Oh")
    verification = signed_for("AI2Bot", "GPTBot", "ChatGPT-User")
    request = SIGNER.sign(agent=f'sig1="{signing.origin}"')
    assert verification.verify(token, UNLISTED, request).pending
    await asyncio.to_thread(verification.wait_until_idle)
    result = verification.verify(token, UNLISTED, request)
    assert summary(result) == (Identity.CHECK_FAILED, False, False)
    assert "the response has status 500" in result.reason
    # What its address tells stays.
    assert summary(verification.verify("GPTBot", GPTBOT, request)) == (Identity.VERIFIED, True, False)
    assert summary(verification.verify("GPTBot", CHATGPT, request)) == (
        Identity.OPERATOR_VERIFIED,
        False,
        False,
    )


async def test_a_missing_key_leaves_the_signature_unverified(
    signing: Server, signed_for: Trusts, clock: Clock
) -> None:
    verification = signed_for("AI2Bot", "GPTBot")
    request = Signer().sign(agent=f'sig1="{signing.origin}"', created=clock.now)
    verification.verify("AI2Bot", UNLISTED, request)
    await asyncio.to_thread(verification.wait_until_idle)
    result = verification.verify("AI2Bot", UNLISTED, request)
    assert summary(result) == (Identity.UNVERIFIABLE, False, False)
    assert "has no key" in result.reason
    assert summary(verification.verify("GPTBot", UNLISTED, request)) == (Identity.SPOOFED, False, False)
    # It may have got the key since it was read, which can't be told while it can't be read.
    clock.now += 60
    signing.answers[PATH] = answer(b"", status="500 Oh")
    assert verification.verify("GPTBot", UNLISTED, request).pending
    await asyncio.to_thread(verification.wait_until_idle)
    assert summary(verification.verify("GPTBot", UNLISTED, request)) == (Identity.CHECK_FAILED, False, False)


async def test_a_missing_key_does_not_cause_a_fetch_for_each_request(
    signing: Server, signed_for: Trusts
) -> None:
    verification = signed_for("AI2Bot")
    for _ in range(20):
        request = Signer().sign(agent=f'sig1="{signing.origin}"')
        verification.verify("AI2Bot", UNLISTED, request)
        await asyncio.to_thread(verification.wait_until_idle)
    assert len(signing.requests) == 1


async def test_the_directory_of_an_unknown_agent_is_never_read(signing: Server, clock: Clock) -> None:
    verification = Verification(RANGES, dns=False, fetcher=fetcher_inside, clock=clock)
    request = SIGNER.sign(agent=f'sig1="{signing.origin}"')
    result = verification.verify("GPTBot", UNLISTED, request)
    assert summary(result) == (Identity.SPOOFED, False, False)
    await asyncio.to_thread(verification.wait_until_idle)
    assert signing.requests == []


async def test_keys_are_refreshed_in_the_background(
    signing: Server, signed_for: Trusts, clock: Clock
) -> None:
    verification = signed_for("AI2Bot")
    agent = f'sig1="{signing.origin}"'
    verification.verify("AI2Bot", None, SIGNER.sign(agent=agent))
    await asyncio.to_thread(verification.wait_until_idle)
    clock.now += 3600
    signing.answers[PATH] = answer(json.dumps({"keys": []}).encode())
    request = SIGNER.sign(agent=agent, created=clock.now)
    assert verification.verify("AI2Bot", None, request).counts
    await asyncio.to_thread(verification.wait_until_idle)
    assert not verification.verify("AI2Bot", None, request).counts


def test_the_verification_methods_of_a_crawler_are_listed(clock: Clock) -> None:
    verification = Verification(RANGES, dns=False, clock=clock)
    assert verification.verification_methods("GPTBot") == {"addresses": ["https://openai.com/gptbot.json"]}
    assert verification.verification_methods("YouBot")["web_bot_auth"] == "https://you.com"
    assert verification.verification_methods("AI2Bot") == verification.verification_methods("NoBot") == {}
    assert "host_names" not in verification.verification_methods("YandexBot")


def test_dns_answers_are_refreshed_in_the_background(
    server: DNSServer, verification: Verification, clock: Clock
) -> None:
    """An answer that is due counts until the refresh has finished."""
    server.confirmed(YANDEX, "spider.yandex.com")
    verification.verify("YandexBot", YANDEX)
    verification.wait_until_idle()
    for hours, pending in ((0, False), (23, False), (25, True)):
        clock.now += hours * 3600
        assert verification.verify("YandexBot", YANDEX).pending is pending
        verification.wait_until_idle()
        assert verification.verify("YandexBot", YANDEX).counts


def test_unknown_clients_evict_no_crawler(server: DNSServer, resolver: Resolver, clock: Clock) -> None:
    server.confirmed(YANDEX, "spider.yandex.com")
    names = ReverseDns(RANGES, resolver, max_clients=50, clock=clock)
    for client in (YANDEX, *(f"9.9.{number}.9" for number in range(200))):
        names.find("YandexBot", client)
    names.wait_until_idle()
    assert len(names) == 51
    found = names.find("YandexBot", YANDEX)
    assert found is not None
    assert found.own


@pytest.mark.parametrize("network", ["2a02:1234:1:1::{}", "2a02:1234:1:{}::1", "192.88.0.{}"])
def test_a_client_with_many_addresses_does_not_delay_a_crawler(
    server: DNSServer, hasty: Resolver, clock: Clock, network: str
) -> None:
    strangers = [network.format(number) for number in range(1, 41)]
    for address in strangers:
        server.add(reverse(address), "PTR", SILENCE)
    server.confirmed(YANDEX, "spider.yandex.com")
    verification = Verification(RANGES, resolver=hasty, clock=clock)
    results = [verification.verify("YandexBot", address) for address in strangers]
    assert [result.pending for result in results] == [True] * 8 + [False] * 32
    assert summary(results[-1]) == (Identity.CHECK_FAILED, False, False)
    assert results[-1].reason == "its host name can't be looked up now: too many clients are waiting"
    assert verification.verify("YandexBot", YANDEX).pending
    verification.wait_until_idle()
    assert verification.verify("YandexBot", YANDEX).counts


def test_verifying_a_known_client_takes_few_calls(clock: Clock) -> None:
    verification = Verification(RANGES, dns=False, clock=clock)
    verification.verify("GPTBot", GPTBOT)
    addresses = [f"132.196.86.{number}" for number in range(16)]
    for address in addresses:
        verification.verify("GPTBot", address)
    _, count = calls(lambda: [verification.verify("GPTBot", address) for address in addresses])
    assert count / 16 < 60


def test_without_the_extra_the_error_has_the_install_command() -> None:
    code = """
import sys
sys.modules["http_message_signatures"] = None
from aipolicy.identity import IdentityChecker, Verification
from aipolicy.errors import MissingExtraError
assert IdentityChecker().identify("GPTBot", "8.8.8.8") == "spoofed"
try:
    Verification()
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == (
        "verifying signatures needs http-message-signatures: pip install 'asgi-aipolicy[identity]'\n"
    )
