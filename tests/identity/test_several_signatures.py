"""Requests with several signatures, and the signatures that count as forged."""

import base64
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

import pytest

from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.identity import Identity, Verification
from aipolicy.identity.signature_evidence import verify_signatures
from aipolicy.identity.signatures import Rules, SignatureOutcome, SignedRequest
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response
from tests.identity.address_lists import RANGES, UNLISTED
from tests.identity.signatures.signing import NOW, Clock, Signer

YOU, CDN = "https://you.com", "https://cdn.test"
OURS, THEIRS = Signer(), Signer()


class Web(Fetcher):
    """The key directories of both, without a network."""

    asked: ClassVar[list[str]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def fetch(self, url: str, **_: object) -> Response:
        self.asked.append(url)
        if not url.startswith((YOU, CDN)):
            raise FetchError(url, FetchTrouble.DNS, "no such name")
        body = (OURS if url.startswith(YOU) else THEIRS).directory
        return Response(url=url, status=200, headers=(), body=body, cut=False, hops=(), address="", seconds=0)


@pytest.fixture(autouse=True)
def asked() -> list[str]:
    Web.asked.clear()
    return Web.asked


def signed(signer: Signer, agent: str, label: str) -> SignedRequest:
    components = ("@authority", f'"signature-agent";key="{label}"')
    return signer.sign(agent=f'{label}="{agent}"', label=label, components=components)


def joined(*requests: SignedRequest) -> SignedRequest:
    names = ("signature-agent", "signature-input", "signature")
    fields = [(name, ", ".join(request.field(name) or "" for request in requests)) for name in names]
    return SignedRequest("GET", requests[0].url, (("Host", "blog.example"), *fields))


GENUINE = signed(OURS, YOU, "you")
OTHERS = {
    "a strangers": signed(THEIRS, "https://nobody.test", "cdn"),
    "a known agents": signed(THEIRS, CDN, "cdn"),
    "a copied one": signed(THEIRS, YOU, "cdn"),
}
ORDERS: list[Callable[[SignedRequest], SignedRequest]] = [
    lambda other: joined(GENUINE, other),
    lambda other: joined(other, GENUINE),
]


@pytest.mark.parametrize("order", ORDERS, ids=["first", "second"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_the_signature_of_a_crawler_counts_next_to_others(
    other: SignedRequest, order: Callable[[SignedRequest], SignedRequest], asked: list[str]
) -> None:
    request, clock = order(other), Clock()
    agents = {CDN: ["ChatGPT-User"]}
    verification = Verification(RANGES, dns=False, clock=clock, fetcher=Web, agents=agents)
    assert verification.verify("YouBot", UNLISTED, request).pending
    verification.wait_until_idle()
    result = verification.verify("YouBot", UNLISTED, request)
    assert (result.identity, result.counts) == (Identity.VERIFIED, True)
    assert result.signature is not None
    assert result.signature.agent == YOU
    assert not any("nobody" in url for url in asked)
    # On the command line too, where anybody's keys are read.
    results = verify_signatures(request, clock=clock, fetcher=Web)
    assert SignatureOutcome.VERIFIED in {result.outcome for result in results if result.agent == YOU}


def test_each_of_four_signatures_is_verified() -> None:
    others = [signed(THEIRS, f"https://{label}.test", label) for label in ("a", "b", "c")]
    assert verify(joined(*others, GENUINE))[:2] == (Identity.VERIFIED, True)
    assert verify(joined(*others, signed(THEIRS, CDN, "d"), GENUINE))[:2] == (Identity.UNVERIFIABLE, False)


BROKEN = {
    "no value": ('x=("@authority");tag="web-bot-auth"', None),
    "no value, and not a crawler's": ('x=("@authority")', None),
    "no announcement": (None, "x=:AAAA:"),
    "no octets": ('x=("@authority");tag="web-bot-auth"', "x=1"),
    "no components": ('x="a";tag="web-bot-auth"', "x=:AAAA:"),
    "without a valid name": ('x=(1);tag="web-bot-auth"', "x=:AAAA:"),
    "no number": ('x=("@authority");created="a";tag="web-bot-auth"', "x=:AAAA:"),
}


@pytest.mark.parametrize(("announced", "value"), BROKEN.values(), ids=BROKEN)
def test_an_error_in_one_signature_does_not_affect_others(announced: str | None, value: str | None) -> None:
    more = {"signature-input": announced, "signature": value}
    lines = [(name, text) for name, text in more.items() if text is not None]
    for headers in ((*GENUINE.headers, *lines), (*lines, *GENUINE.headers)):
        request = SignedRequest("GET", GENUINE.url, headers)
        assert verify(request)[:2] == (Identity.VERIFIED, True)
        results = verify_signatures(request, clock=Clock(), fetcher=Web)
        assert {result.outcome for result in results if result.label == "x"} <= {SignatureOutcome.INVALID}


def test_a_signature_can_cover_another_one() -> None:
    """The signature of a CDN can cover that of its client (RFC 9421 §4.3)."""
    first = signed(THEIRS, CDN, "cdn")
    signature_headers = {name: value for name, value in first.headers if name.startswith("Signature")}
    ours = OURS.sign(
        agent=f'{first.field("signature-agent")}, you="{YOU}"',
        label="you",
        components=("@authority", '"signature-agent";key="you"', '"signature";key="cdn"'),
        headers=signature_headers,
    )
    del signature_headers["Signature-Agent"]
    request = SignedRequest("GET", ours.url, (*ours.headers, *signature_headers.items()))
    assert verify(request)[:2] == (Identity.VERIFIED, True)


def with_parameter(parameter: str) -> SignedRequest:
    """Sign by hand (RFC 9421 §2.5), because the library rejects unknown parameters."""
    params = (
        f'("@authority" "signature-agent";key="you");created={int(NOW) - 5};expires={int(NOW) + 300};'
        f'keyid="{OURS.keyid}";tag="web-bot-auth"{parameter}'
    )
    base = f'"@authority": blog.example\n"signature-agent";key="you": "{YOU}"\n"@signature-params": {params}'
    value = base64.b64encode(OURS.private.sign(base.encode())).decode()
    fields = {
        "Host": "blog.example",
        "Signature-Agent": f'you="{YOU}"',
        "Signature-Input": f"you={params}",
        "Signature": f"you=:{value}:",
    }
    return SignedRequest("GET", "https://blog.example/post", tuple(fields.items()))


def verify(
    request: SignedRequest, now: float = NOW, rules: Rules | None = None
) -> tuple[Identity, bool, str]:
    verification = Verification(RANGES, dns=False, clock=Clock(now), fetcher=Web, rules=rules)
    verification.verify("YouBot", UNLISTED, GENUINE)
    verification.wait_until_idle()
    result = verification.verify("YouBot", UNLISTED, request)
    return result.identity, result.counts, result.reason


@pytest.mark.parametrize("parameter", ["", ';nonce="x"', ';purpose="search"', ";delegation", ";v=2"])
def test_an_unknown_parameter_is_covered(parameter: str) -> None:
    assert verify(with_parameter(parameter))[:2] == (Identity.VERIFIED, True)


def test_a_changed_parameter_invalidates_the_signature() -> None:
    request = with_parameter(";v=2")
    changed = tuple((name, value.replace(";v=2", ";v=3")) for name, value in request.headers)
    assert verify(SignedRequest("GET", request.url, changed))[0] is Identity.SPOOFED


@pytest.mark.parametrize(
    ("request_", "now", "rules", "reason"),
    [
        (GENUINE, NOW - 120, None, "was created in the future"),
        (GENUINE, NOW + 800, None, "has expired"),
        (GENUINE, NOW, Rules(lifetime=60), "must expire within 60 s"),
        (GENUINE, NOW, Rules(required=("@path",)), "was not covered"),
        (
            OURS.sign(agent=f'sig1="{YOU}"', components=("@authority",)),
            NOW,
            None,
            "does not cover its member",
        ),
    ],
)
def test_a_violated_rule_proves_no_forgery(
    request_: SignedRequest, now: float, rules: Rules | None, reason: str
) -> None:
    identity, counts, told = verify(request_, now, rules)
    assert (identity, counts) == (Identity.UNVERIFIABLE, False)
    if "member" not in reason:  # else it is nobody's
        assert reason in told


def test_a_signature_by_another_key_is_a_forgery() -> None:
    elsewhere = SignedRequest("GET", "https://another.example/post", GENUINE.headers)
    assert verify(elsewhere)[0] is Identity.SPOOFED
