"""A licence opens a site to the crawler that it names, not to whoever says so."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Any

import http_sf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.identity import Identity, Resolver, Verification, VerificationResult
from aipolicy.identity.resolver import DnsAnswer, DnsQuestion
from tests.asgi.apps import answering, lookup
from tests.asgi_client import Response, request
from tests.identity.address_lists import CHATGPT, GPTBOT, RANGES, UNLISTED
from tests.identity.dns_server import SERVFAIL, DNSServer, reverse
from tests.identity.signatures.signing import Clock

LICENSED = SitePolicy.from_preset(
    "no-ai",
    licensed=["GPTBot", "YandexAdditional", "AI2Bot", "YouBot"],
    path_preferences={"/press/": PRESETS["allow"]},
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
YANDEX = "5.255.253.1"


@pytest.fixture
def offline() -> Verification:
    return Verification(RANGES, dns=False, clock=Clock())


@pytest.fixture
async def server() -> AsyncIterator[DNSServer]:
    with DNSServer() as running:
        yield running


@pytest.fixture
def asking(server: DNSServer) -> Verification:
    resolver = Resolver(nameservers=["127.0.0.1"], port=server.port, timeout=5, total_timeout=20)
    return Verification(RANGES, resolver=resolver, clock=Clock())


async def visit(
    verification: Any,
    user_agent: str = "GPTBot/1.2",
    address: str | None = GPTBOT,
    path: str = "/post",
    *,
    policy: SitePolicy = LICENSED,
    events: list[DisallowedFetch] | None = None,
    **options: Any,
) -> Response:
    async def hook(event: DisallowedFetch) -> None:
        if events is not None:
            events.append(event)

    app = AIPolicyMiddleware(
        answering(), lookup(blog=policy), enforce="verified", verification=verification, on_event=hook
    )
    client = None if address is None else (address, 4321)
    response = await request(app, path, user_agent=user_agent, client=client, **options)
    await asyncio.sleep(0)
    return response


async def test_a_licensed_crawler_is_allowed_and_an_impostor_is_not(offline: Verification) -> None:
    assert (await visit(offline)).status == 200
    response = await visit(offline, address=UNLISTED)
    assert response.status == 403
    problem = json.loads(response.body)
    assert problem["detail"] == (
        "This site's AI policy lets GPTBot fetch this, but only after verification. This client could not be "
        "verified as GPTBot: its operator doesn't publish its address. verify_by has the methods of "
        "verification. /robots.txt says what others may fetch."
    )
    assert (problem["crawler"], problem["identity"]) == ("GPTBot", "spoofed")
    assert problem["verify_by"] == {"addresses": ["https://openai.com/gptbot.json"]}
    assert problem["policy"] == {"preferences": "train-ai=n, ai-use=n", "visibility": "public"}


async def test_a_refusal_is_never_stored_and_carries_the_sites_headers(offline: Verification) -> None:
    response = await visit(offline, address=UNLISTED)
    assert response.one("content-type") == "application/problem+json"
    assert response.one("cache-control") == "no-store"
    assert response.one("content-usage") == "train-ai=n, ai-use=n"
    assert response.one("content-length") == str(len(response.body))
    assert response.one("accept-signature") is None
    assert (await visit(offline, address=UNLISTED, method="HEAD")).body == b""


async def test_a_crawler_whose_operator_signs_is_asked_for_a_signature(offline: Verification) -> None:
    response = await visit(offline, "YouBot/1.0", UNLISTED)
    assert response.status == 403
    components = '"@authority" "@method" "@path" "signature-agent";key="sig1"'
    asked_for = response.one("accept-signature")
    assert asked_for == f'sig1=({components});created;expires;tag="web-bot-auth"'
    assert http_sf.parse(asked_for.encode(), tltype="dictionary")
    assert json.loads(response.body)["verify_by"]["web_bot_auth"] == "https://you.com"


async def test_a_crawler_whose_operator_publishes_nothing_can_not_use_its_licence(
    offline: Verification,
) -> None:
    response = await visit(offline, "AI2Bot/1.0", UNLISTED)
    assert response.status == 403
    problem = json.loads(response.body)
    assert problem["identity"] == "unverifiable"
    assert problem["verify_by"] == {}
    assert ": its operator publishes nothing to verify it by. /robots" in problem["detail"]


async def test_another_crawler_of_its_operator_does_not_use_its_licence(offline: Verification) -> None:
    response = await visit(offline, address=CHATGPT)
    assert (response.status, json.loads(response.body)["identity"]) == (403, "operator_verified")


@pytest.mark.parametrize("user_agent", [BROWSER, "", "Googlebot/2.1", "curl/8.0", "a GPTBot fan"])
async def test_nobody_else_is_verified(user_agent: str) -> None:
    class Never:
        def verify(self, *_: object) -> VerificationResult:
            raise AssertionError("a visitor was looked up")

    assert (await visit(Never(), user_agent, UNLISTED)).status == 200


async def test_a_blocked_crawler_is_refused_as_before_whoever_it_is(offline: Verification) -> None:
    for address in (UNLISTED, GPTBOT, None):
        response = await visit(offline, "CCBot/2.0", address)
        assert response.status == 403
        assert "does not let CCBot fetch this" in json.loads(response.body)["detail"]


async def test_what_is_open_to_all_needs_no_licence(offline: Verification) -> None:
    assert (await visit(offline, address=UNLISTED, path="/press/kit")).status == 200
    open_to_all = SitePolicy.from_preset("unset", licensed=["GPTBot"])
    assert (await visit(offline, address=UNLISTED, policy=open_to_all)).status == 200


@pytest.mark.parametrize(
    "path", ["/robots.txt", "/.well-known/tdmrep.json", "/.well-known/security.txt", "/ai.txt"]
)
async def test_an_impostor_may_still_read_the_policy_files(offline: Verification, path: str) -> None:
    assert (await visit(offline, address=UNLISTED, path=path)).status == 200


async def test_each_licensed_token_that_is_claimed_must_be_verified(offline: Verification) -> None:
    assert (await visit(offline, "GPTBot/1.2 AI2Bot/1.0")).status == 403


async def test_an_event_has_the_identity(offline: Verification) -> None:
    events: list[DisallowedFetch] = []
    await visit(offline, events=events)
    assert events == []
    await visit(offline, address=UNLISTED, events=events)
    await visit(offline, "CCBot/2.0", events=events)
    claimed, blocked = events
    assert (claimed.crawler.product_token, claimed.refused, claimed.identity) == (
        "GPTBot",
        True,
        Identity.SPOOFED,
    )
    assert claimed.reason == "its operator doesn't publish its address"
    assert (blocked.crawler.product_token, blocked.identity, blocked.reason) == ("CCBot", None, "")


async def test_while_it_is_looked_up_it_may_come_again_and_then_it_is_allowed(
    server: DNSServer, asking: Verification
) -> None:
    server.confirmed(YANDEX, "spider.yandex.com")
    events: list[DisallowedFetch] = []
    response = await visit(asking, "YandexAdditional/1.0", YANDEX, events=events)
    assert (response.status, response.one("retry-after")) == (503, "5")
    assert " yet: its host name is being looked up" in json.loads(response.body)["detail"]
    assert response.one("cache-control") == "no-store"
    assert events == []  # a first visit is no offence
    await asyncio.to_thread(asking.wait_until_idle)
    assert (await visit(asking, "YandexAdditional/1.0", YANDEX)).status == 200


class Waiting(Resolver):
    """Knows no names, and says so when it is let."""

    def __init__(self) -> None:
        super().__init__(nameservers=[])
        self.let = threading.Event()

    def ask_all(
        self, questions: Iterable[DnsQuestion], within: float = 600.0
    ) -> dict[DnsQuestion, DnsAnswer]:
        self.let.wait(60)
        return dict.fromkeys(questions)


async def test_where_too_many_are_looked_up_it_may_come_again_later() -> None:
    resolver = Waiting()
    asking = Verification(RANGES, resolver=resolver, clock=Clock())
    waits = [
        (await visit(asking, "YandexAdditional/1.0", f"5.255.253.{number}")).one("retry-after")
        for number in range(1, 10)
    ]
    resolver.let.set()
    assert waits == ["5"] * 8 + ["60"]
    await asyncio.to_thread(asking.wait_until_idle)


async def test_an_impostor_gets_nothing_while_it_is_looked_up(
    server: DNSServer, asking: Verification
) -> None:
    statuses = []
    for _ in range(2):
        statuses.append((await visit(asking, "YandexAdditional/1.0", UNLISTED)).status)
        await asyncio.to_thread(asking.wait_until_idle)
    assert statuses == [503, 403]


async def test_a_client_that_reads_robots_txt_first_does_not_wait(
    server: DNSServer, asking: Verification
) -> None:
    server.confirmed(YANDEX, "spider.yandex.com")
    assert (await visit(asking, "YandexAdditional/1.0", YANDEX, "/robots.txt")).status == 200
    await asyncio.to_thread(asking.wait_until_idle)
    assert (await visit(asking, "YandexAdditional/1.0", YANDEX)).status == 200


async def test_dns_that_fails_allows_nobody_and_accuses_nobody(
    server: DNSServer, asking: Verification, caplog: pytest.LogCaptureFixture
) -> None:
    server.add(reverse(YANDEX), "PTR", SERVFAIL)
    events: list[DisallowedFetch] = []
    await visit(asking, "YandexAdditional/1.0", YANDEX)
    await asyncio.to_thread(asking.wait_until_idle)
    with caplog.at_level(logging.WARNING, "aipolicy.serving"):
        response = await visit(asking, "YandexAdditional/1.0", YANDEX, events=events)
    assert (response.status, response.one("retry-after")) == (503, "60")
    assert [event.identity for event in events] == [Identity.CHECK_FAILED]
    assert "can't be verified: its host name could not be looked up" in caplog.text


@pytest.mark.parametrize("address", [None, "", "127.0.0.1", "10.1.2.3"])
async def test_an_address_that_is_not_the_clients_is_the_servers_fault(
    offline: Verification, address: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "aipolicy.serving"):
        response = await visit(offline, address=address)
    assert response.status == 503
    assert "uvicorn --proxy-headers" in caplog.text


async def test_a_fault_in_the_check_allows_no_impostor_and_harms_no_visitor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def verify(self, *_: object) -> VerificationResult:
            raise RuntimeError("broken")

    with caplog.at_level(logging.ERROR, "aipolicy.serving"):
        response = await visit(Broken(), path="/robots.txt")
        assert response.status == 200
        response = await visit(Broken())
    assert (response.status, response.one("retry-after")) == (503, "60")
    assert "a client can't be verified" in caplog.text
    assert (await visit(Broken(), BROWSER)).status == 200


async def test_a_signature_that_is_sent_is_looked_at_as_the_client_sent_it() -> None:
    signed_requests: list[Any] = []

    class Looking:
        def verify(self, token: str, address: str | None, signed: Any = None) -> VerificationResult:
            signed_requests.append(signed)
            return VerificationResult(Identity.VERIFIED, True, "")

    headers = [(b"signature-input", b"sig1=()"), (b"signature", b"sig1=:AA==:")]
    await visit(Looking(), path="/a%7Cb", query_string=b"c=%20", headers=headers, scheme="https")
    await visit(Looking())
    signed, unsigned = signed_requests
    assert (signed.method, signed.url) == ("GET", "https://blog.example/a%7Cb?c=%20")
    assert ("signature-input", "sig1=()") in signed.headers
    assert unsigned is None


LINES = st.lists(
    st.tuples(
        st.sampled_from([b"signature", b"signature-input", b"signature-agent", b"x"]),
        st.binary(max_size=60)
        | st.sampled_from(
            [
                b'sig1=("@authority" "signature-agent");created=1;expires=2;keyid="k";tag="web-bot-auth"',
                b'sig1="https://you.com"',
                b"sig1=:AAAA:",
            ]
        ),
    ),
    max_size=5,
)


FUZZED = Verification(RANGES, dns=False)


@settings(max_examples=40)
@given(LINES, st.binary(max_size=20), st.none() | st.text(max_size=20))
def test_whatever_an_impostor_sends_it_is_not_let_in(
    headers: list[tuple[bytes, bytes]], path: bytes, address: str | None
) -> None:
    response = asyncio.run(
        visit(FUZZED, "YouBot/1.0", address, headers=headers, raw_path=b"/" + path, policy=LICENSED)
    )
    assert response.status in (403, 503)


def test_a_verification_that_would_not_be_used_is_an_error(offline: Verification) -> None:
    message = "verification has no effect while enforce is 'declared'; add enforce='verified'"
    with pytest.raises(ValueError, match=message):
        AIPolicyMiddleware(answering(), lookup(), enforce="declared", verification=offline)
