"""The test vectors of the drafts and of other implementations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aipolicy.identity.signatures import (
    Rules,
    SignatureOutcome,
    SignatureResult,
    SignedRequest,
    Verifier,
)
from tests.identity.signatures.signing import (
    AGENT,
    DIRECTORY,
    EXAMPLE,
    EXAMPLE_JWK,
    Clock,
    MemoryKeys,
)

HERE = Path(__file__).parent
CREATED = 1_735_689_600
VECTORS = Rules(lifetime=None, age=None, example_keys=True)
NONCE = "n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA=="
INPUT = (
    f'("@authority" "signature-agent";key="agent2");created={CREATED};keyid="{EXAMPLE}";alg="ed25519";'
    f'expires=4889289600;nonce="{NONCE}";tag="web-bot-auth"'
)
VALUE = ":RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4e8PhbNZACSanGdhEwYCCg==:"
FIELDS = {
    "Signature-Agent": f'agent2="{AGENT}"',
    "Signature-Input": f"sig2={INPUT}",
    "Signature": f"sig2={VALUE}",
}
FOREIGN = json.loads((HERE / "cloudflare.json").read_bytes())["vectors"]
NEGATIVE = json.loads((HERE / "negative.json").read_bytes())["vectors"]


def verify(
    url: str = "https://example.com/path/to/resource",
    rules: Rules = VECTORS,
    now: float = 1_790_000_000,
    key: dict[str, str] = EXAMPLE_JWK,
    **fields: str | None,
) -> SignatureResult:
    """Return the result of W1 with the headers in ``fields`` replaced, or removed if None."""
    headers = FIELDS | {name.replace("_", "-").title(): value for name, value in fields.items()}
    lines = tuple((name, value) for name, value in headers.items() if value is not None)
    return Verifier(MemoryKeys(key), rules=rules, clock=Clock(now)).verify(SignedRequest("GET", url, lines))


def test_w1_is_verified_and_attributed_to_its_agent() -> None:
    result = verify()
    assert (result.outcome, result.agent, result.keyid) == (SignatureOutcome.VERIFIED, AGENT, EXAMPLE)
    assert (result.label, result.directory, result.fetch) == ("sig2", DIRECTORY, None)
    assert result.reason == f"signed with a key of {AGENT}"


def test_w2_another_path_is_not_covered() -> None:
    assert verify("https://example.com/other").outcome is SignatureOutcome.VERIFIED


def test_w3_another_host_is_covered() -> None:
    assert verify("https://evil.example/path/to/resource").outcome is SignatureOutcome.INVALID


def test_w4_another_agent_is_covered() -> None:
    keys = MemoryKeys(
        EXAMPLE_JWK, directory="https://evil.test/.well-known/http-message-signatures-directory"
    )
    headers = FIELDS | {"Signature-Agent": 'agent2="https://evil.test"'}
    request = SignedRequest("GET", "https://example.com/", tuple(headers.items()))
    assert Verifier(keys, rules=VECTORS).verify(request).outcome is SignatureOutcome.INVALID
    # Where the other agent has no such key, it can't be told: keys belong to the URL that publishes them.
    assert verify(signature_agent='agent2="https://evil.test"').outcome is SignatureOutcome.UNVERIFIED


def test_w5_no_agent_is_refused() -> None:
    result = verify(signature_agent=None)
    assert (result.outcome, result.reason) == (SignatureOutcome.INVALID, "there is no Signature-Agent header")


def test_w6_a_member_that_is_not_covered_is_ignored() -> None:
    result = verify(signature_agent=f'agent2="{AGENT}", x="https://evil.test"')
    assert (result.outcome, result.agent) == (SignatureOutcome.VERIFIED, AGENT)


def test_w7_the_label_is_not_signed() -> None:
    result = verify(signature_input=f"zz={INPUT}", signature=f"zz={VALUE}")
    assert (result.outcome, result.label) == (SignatureOutcome.VERIFIED, "zz")


def test_w8_required_components_must_be_covered() -> None:
    assert verify(rules=replace(VECTORS, required=("@path",))).outcome is SignatureOutcome.INVALID


def test_w9_it_is_too_old_by_default() -> None:
    result = verify(rules=replace(VECTORS, age=86_400.0))
    assert (result.outcome, result.reason) == (
        SignatureOutcome.INVALID,
        "the signature is older than 86400 s",
    )
    assert (
        verify(rules=replace(VECTORS, age=86_400.0), now=CREATED + 86_400).outcome
        is SignatureOutcome.VERIFIED
    )


def test_w10_hmac_is_refused() -> None:
    result = verify(signature_input=FIELDS["Signature-Input"].replace("ed25519", "hmac-sha256"))
    assert result.outcome is SignatureOutcome.INVALID
    assert "algorithm must be one of ed25519," in result.reason


def test_w11_the_form_without_agent_is_refused() -> None:
    nonce = "zIW8+cdmA3vdYagbxojpONwa/l0EKJ/O3/wD486VvsQjO/RxPaSt6ZxvQaMcQzNnqKN/mQ6hpGiFro2L2qkz5A=="
    signature = ":QKN4fTdIYfh82fvoZCQiQA1weuozfCS/Led2zTMbewMMqH8PI2Wsy/5c4ao6B6D09nraNQdBNOADg8aM1MqfCg==:"
    params = (
        f'sig1=("@authority");created={CREATED};keyid="{EXAMPLE}";alg="ed25519";expires=4889289600;'
        f'nonce="{nonce}";tag="web-bot-auth"'
    )
    for agent in (None, f'sig1="{AGENT}"'):
        result = verify(signature_agent=agent, signature_input=params, signature=f"sig1={signature}")
        assert result.outcome is SignatureOutcome.INVALID


def test_w12_the_older_string_form_is_verified_until_it_expires() -> None:
    nonce = "e8N7S2MFd/qrd6T2R3tdfAuuANngKI7LFtKYI/vowzk4lAZYadIX6wW25MwG7DCT9RUKAJ0qVkU0mEeLElW1qg=="
    signature = ":jdq0SqOwHdyHr9+r5jw3iYZH6aNGKijYp/EstF4RQTQdi5N5YYKrD+mCT1HA1nZDsi6nJKuHxUi/5Syp3rLWBA==:"
    fields: dict[str, Any] = {
        "signature_agent": f'"{AGENT}"',
        "signature_input": f'sig2=("@authority" "signature-agent");created={CREATED};keyid="{EXAMPLE}";'
        f'alg="ed25519";expires=1735693200;nonce="{nonce}";tag="web-bot-auth"',
        "signature": f"sig2={signature}",
    }
    strict = Rules(example_keys=True)
    result = verify(rules=strict, now=CREATED + 3600, **fields)
    assert (result.outcome, result.agent) == (SignatureOutcome.VERIFIED, AGENT)
    result = verify(rules=strict, now=CREATED + 3661, **fields)
    assert (result.outcome, result.reason) == (SignatureOutcome.INVALID, "the signature has expired")


def test_the_keys_that_rfc_9421_prints_count_only_for_tests() -> None:
    result = verify(rules=replace(VECTORS, example_keys=False))
    assert (result.outcome, result.reason) == (
        SignatureOutcome.INVALID,
        "the signature's key is the public example of RFC 9421",
    )


@pytest.mark.parametrize("vector", FOREIGN, ids=lambda vector: vector["name"])
def test_cloudflares_vectors(vector: dict[str, Any]) -> None:
    request = SignedRequest("GET", vector["url"], tuple(vector["headers"].items()))
    verifier = Verifier(MemoryKeys(vector["key"]), rules=VECTORS, clock=Clock(vector["created"] + 60))
    signed_for_an_agent = "Signature-Agent" in vector["headers"]  # those without are the profile's no more
    assert verifier.verify(request).outcome is (
        SignatureOutcome.VERIFIED if signed_for_an_agent else SignatureOutcome.INVALID
    )


@pytest.mark.parametrize("vector", NEGATIVE, ids=lambda vector: f"{vector['id']} {vector['reason']}")
def test_negative_vectors_do_not_verify(vector: dict[str, Any]) -> None:
    body = vector["body"].encode() if "body" in vector else None
    request = SignedRequest(vector["method"], vector["url"], tuple(vector["headers"].items()), body)
    verifier = Verifier(MemoryKeys(EXAMPLE_JWK), rules=VECTORS, clock=Clock(vector["now"]))
    # The set leaves open what a signature without agent is: signals that name nobody are refused here.
    expected = "invalid" if vector["reason"] == "signature-agent-absent" else vector["outcome"]
    assert verifier.verify(request).outcome == expected


def test_negative_vectors_verify_without_their_error() -> None:
    """Each negative vector fails only because of its error."""
    (vector,) = (vector for vector in NEGATIVE if vector["id"] == "NV-05")
    request = SignedRequest("GET", vector["url"], tuple(vector["headers"].items()))
    verifier = Verifier(MemoryKeys(EXAMPLE_JWK), rules=VECTORS, clock=Clock(CREATED + 60))
    assert verifier.verify(request).outcome is SignatureOutcome.VERIFIED
