"""Requirements for signatures, their attribution, and hostile headers."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.identity.signatures import (
    Rules,
    SignatureOutcome,
    SignatureResult,
    SignedRequest,
    Verifier,
)
from tests.identity.signatures.signing import AGENT, DIRECTORY, NOW, Clock, MemoryKeys, Signer

SIGNER = Signer()


def judge(
    request: SignedRequest, *, rules: Rules | None = None, now: float = NOW, **keys: Any
) -> SignatureResult:
    return Verifier(MemoryKeys(SIGNER.jwk, **keys), rules=rules, clock=Clock(now)).verify(request)


def with_field(request: SignedRequest, name: str, value: str) -> SignedRequest:
    kept = [(key, text) for key, text in request.headers if key.lower() != name.lower()]
    return replace(request, headers=(*kept, (name, value)))


@pytest.mark.parametrize(
    "private",
    [
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=lambda private: type(private).__name__ + str(getattr(private, "key_size", "")),
)
@pytest.mark.parametrize("include_alg", [True, False])
def test_each_algorithm_verifies_only_the_signed_request(private: Any, include_alg: bool) -> None:
    signer = Signer(private)
    request = signer.sign(include_alg=include_alg)
    verifier = Verifier(MemoryKeys(signer.jwk), clock=Clock())
    assert verifier.verify(request).outcome is SignatureOutcome.VERIFIED
    for url in ("https://blog.example/other", "https://other.example/post"):
        assert verifier.verify(replace(request, url=url)).outcome is SignatureOutcome.INVALID
    assert verifier.verify(replace(request, method="POST")).outcome is SignatureOutcome.INVALID


def test_an_algorithm_that_is_not_the_keys_is_refused() -> None:
    request = SIGNER.sign()
    text = (request.field("signature-input") or "").replace("ed25519", "rsa-pss-sha512")
    result = judge(with_field(request, "Signature-Input", text))
    assert (result.outcome, result.reason) == (
        SignatureOutcome.INVALID,
        "the signature's algorithm is not its key's",
    )


def test_a_request_without_a_signature_is_unsigned() -> None:
    for headers in ((), (("Signature-Agent", f'sig1="{AGENT}"'),), (("Signature", "sig1=:AAAA:"),)):
        result = judge(SignedRequest("GET", "https://blog.example/", headers))
        assert (result.outcome, result.agent) == (SignatureOutcome.UNSIGNED, None)


def test_a_signature_with_another_purpose_is_ignored() -> None:
    assert judge(SIGNER.sign(tag="agent-browser-auth")).outcome is SignatureOutcome.UNSIGNED


def test_an_unknown_key_is_unverified_with_a_directory_to_fetch() -> None:
    result = Verifier(MemoryKeys(), clock=Clock()).verify(SIGNER.sign())
    assert (result.outcome, result.fetch) == (SignatureOutcome.UNVERIFIED, DIRECTORY)
    assert (result.agent, result.keyid, result.reason) == (AGENT, SIGNER.keyid, "not here")


def test_a_key_counts_only_for_the_agent_that_publishes_it() -> None:
    """Otherwise anyone who publishes a key could sign for every agent (draft §5.4)."""
    request = SIGNER.sign(agent='sig1="https://chatgpt.com"')
    assert judge(request).outcome is SignatureOutcome.UNVERIFIED


@pytest.mark.parametrize(
    ("created", "lifetime", "outcome"),
    [
        (NOW, 60, SignatureOutcome.VERIFIED),
        (NOW + 60, 60, SignatureOutcome.VERIFIED),  # within the skew
        (NOW + 61, 60, SignatureOutcome.INVALID),
        (NOW - 120, 60, SignatureOutcome.VERIFIED),
        (NOW - 121, 60, SignatureOutcome.INVALID),
        (NOW - 60, 86_400, SignatureOutcome.VERIFIED),
        (NOW - 60, 86_401, SignatureOutcome.INVALID),
        (NOW, -10, SignatureOutcome.INVALID),
    ],
)
def test_times_are_bounded(created: float, lifetime: float, outcome: SignatureOutcome) -> None:
    assert judge(SIGNER.sign(created=created, lifetime=lifetime)).outcome is outcome


@pytest.mark.parametrize(
    ("components", "reason"),
    [
        (("@method", '"signature-agent";key="sig1"'), "covers neither @authority nor @target-uri"),
        (("@authority",), "does not cover its member of Signature-Agent"),
        (("@authority", '"signature-agent";key="other"'), "lacks the member"),
    ],
)
def test_a_signature_must_cover_the_host(components: tuple[str, ...], reason: str) -> None:
    agent = f'sig1="{AGENT}", other="{AGENT}"'
    request = with_field(
        SIGNER.sign(agent=agent, components=components), "Signature-Agent", f'sig1="{AGENT}"'
    )
    result = judge(request)
    assert result.outcome is SignatureOutcome.INVALID
    assert reason in result.reason


def test_a_signature_can_cover_the_target_uri_instead_of_the_authority() -> None:
    request = SIGNER.sign(components=("@target-uri", '"signature-agent";key="sig1"'))
    assert judge(request).outcome is SignatureOutcome.VERIFIED
    assert judge(replace(request, url="https://blog.example/post?x")).outcome is SignatureOutcome.INVALID


def test_the_only_covered_member_is_the_agent_whatever_its_name() -> None:
    components = ("@authority", '"signature-agent";key="a"')
    assert (
        judge(SIGNER.sign(agent=f'a="{AGENT}"', components=components)).outcome is SignatureOutcome.VERIFIED
    )


def test_the_covered_member_with_the_label_is_the_agent() -> None:
    components = ("@authority", '"signature-agent";key="a"', '"signature-agent";key="sig1"')
    request = SIGNER.sign(agent=f'a="https://evil.test", sig1="{AGENT}"', components=components)
    assert (judge(request).outcome, judge(request).agent) == (SignatureOutcome.VERIFIED, AGENT)
    components = ("@authority", '"signature-agent";key="a"', '"signature-agent";key="b"')
    result = judge(SIGNER.sign(agent=f'a="{AGENT}", b="https://evil.test"', components=components))
    assert result.outcome is SignatureOutcome.INVALID
    assert "none with its label" in result.reason


@pytest.mark.parametrize(
    ("agent", "outcome", "directory"),
    [
        (f'sig1="{AGENT}";type=directory', SignatureOutcome.VERIFIED, DIRECTORY),
        (f'sig1="{AGENT}";type="directory"', SignatureOutcome.VERIFIED, DIRECTORY),
        (f'sig1="{AGENT}/keys.json";type=jwks_uri', SignatureOutcome.UNVERIFIED, f"{AGENT}/keys.json"),
        (f'sig1="{AGENT}";type=jwks_uri', SignatureOutcome.UNVERIFIED, f"{AGENT}/"),
        (f'sig1="{AGENT}/card";type=cimd', SignatureOutcome.UNVERIFIED, f"{AGENT}/card"),
        (f'sig1="{AGENT}";type=other', SignatureOutcome.INVALID, None),
        (f'sig1="{AGENT}";a', SignatureOutcome.INVALID, None),
        (f'sig1="{AGENT}";type=directory;a', SignatureOutcome.INVALID, None),
        ("sig1=token", SignatureOutcome.INVALID, None),
        ("sig1=1", SignatureOutcome.INVALID, None),
        ("sig1", SignatureOutcome.INVALID, None),
        ('sig1=("a")', SignatureOutcome.INVALID, None),
    ],
)
def test_a_member_with_unknown_parameters_is_invalid(
    agent: str, outcome: SignatureOutcome, directory: str | None
) -> None:
    result = judge(SIGNER.sign(agent=agent))
    assert (result.outcome, result.directory) == (outcome, directory)


def test_a_directory_can_be_at_any_url() -> None:
    """Since draft -01 the URL is fetched unchanged, and is the identifier without its query."""
    request = SIGNER.sign(agent='sig1="https://Keys.Example:443/a/%7eB/../jwks.json?v=2"')
    result = judge(request, directory="https://keys.example/a/jwks.json?v=2")
    assert (result.outcome, result.agent) == (SignatureOutcome.VERIFIED, "https://keys.example/a/jwks.json")


def test_several_signatures_are_judged_one_by_one() -> None:
    ours, theirs = (
        SIGNER.sign(),
        Signer().sign(
            label="sig2",
            components=("@authority", '"signature-agent";key="sig2"'),
            agent='sig2="https://cdn.example"',
        ),
    )
    for first, second in ((ours, theirs), (theirs, ours)):
        request = ours
        for name in ("Signature-Agent", "Signature-Input", "Signature"):
            request = with_field(request, name, f"{first.field(name.lower())}, {second.field(name.lower())}")
        results = Verifier(MemoryKeys(SIGNER.jwk), clock=Clock()).verify_each(request)
        assert {result.label: result.outcome for result in results} == {
            "sig1": SignatureOutcome.VERIFIED,
            "sig2": SignatureOutcome.UNVERIFIED,
        }
        assert judge(request).label == "sig1"


def test_a_signature_with_another_tag_is_ignored() -> None:
    other = Signer().sign(label="cdn", tag="cdn", components=("@authority",))
    request = SIGNER.sign()
    for name in ("Signature-Input", "Signature"):
        request = with_field(request, name, f"{other.field(name.lower())}, {request.field(name.lower())}")
    assert judge(request).outcome is SignatureOutcome.VERIFIED


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Signature-Agent"])
@pytest.mark.parametrize(
    "value", ["", "sig1=(", 'sig1="', "\x80", "sig1=@99999999999999999", "a" * 3000, "=,"]
)
def test_headers_that_can_not_be_read_are_invalid_or_unsigned(name: str, value: str) -> None:
    result = judge(with_field(SIGNER.sign(), name, value))
    assert result.outcome in (SignatureOutcome.INVALID, SignatureOutcome.UNSIGNED)
    assert result.reason.isascii()
    assert len(result.reason) < 200


def test_a_repeated_label_is_refused() -> None:
    request = SIGNER.sign()
    for name in ("Signature", "Signature-Input"):
        text = request.field(name.lower())
        result = judge(with_field(request, name, f"{text}, {text}"))
        assert (result.outcome, result.reason) == (SignatureOutcome.INVALID, f"{name} has sig1 twice")


def test_the_lines_of_a_header_are_one_field() -> None:
    request = SIGNER.sign()
    cdn = Signer().sign(label="cdn", tag="cdn", components=("@authority",))
    lines = (*request.headers, *((k, v) for k, v in cdn.headers if k in ("Signature", "Signature-Input")))
    assert judge(replace(request, headers=lines)).outcome is SignatureOutcome.VERIFIED


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (", ".join(f"l{n}=()" for n in range(9)), "9 members: at most 8"),
        (", ".join(f'l{n}=("@authority");tag="web-bot-auth"' for n in range(5)), "5 signatures: at most 4"),
        ('l=("@authority"' + ' "@query-param";name="a"' * 16 + ');tag="web-bot-auth"', "17 components"),
        ('l=(1);tag="web-bot-auth"', "without a valid name"),
        ('l="a";tag="web-bot-auth"', "lists no components"),
    ],
)
def test_the_work_of_a_verifier_is_bounded(field: str, reason: str) -> None:
    values = ", ".join(f"{label}=:AAAA:" for label in ("l", *(f"l{n}" for n in range(5))))
    request = with_field(with_field(SIGNER.sign(), "Signature-Input", field), "Signature", values)
    assert reason in judge(request).reason


def test_a_url_that_is_too_long_to_check_proves_no_forgery() -> None:
    url = "https://blog.example/?" + "a" * 8192
    assert judge(SIGNER.sign(url=url)).outcome is SignatureOutcome.UNVERIFIED


TEXT = st.text(st.characters(codec="latin-1"), max_size=60)
FIELD = TEXT | st.sampled_from(
    [
        'sig1=("@authority" "signature-agent";key="sig1");created=1;expires=2;keyid="k";tag="web-bot-auth"',
        'a=("@query-param";name="%" "@status" "x";bs "y";tr "@target-uri";req);tag="web-bot-auth";created=1',
        "sig1=:AAAA:, a=:AA==:",
        f'sig1="{AGENT}"',
        f'"{AGENT}"',
    ]
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["Signature", "signature-input", "Signature-Agent", "x", "Host"]), FIELD)
    ),
    TEXT,
    TEXT,
)
def test_any_headers_are_handled(headers: list[tuple[str, str]], method: str, target: str) -> None:
    request = SignedRequest.from_target(method, target, headers)
    result = judge(request)
    assert result.outcome is not SignatureOutcome.VERIFIED
    assert result.reason.isascii()


@given(st.data())
def test_no_changed_byte_of_a_signature_verifies(data: st.DataObject) -> None:
    request = SIGNER.sign()
    name = data.draw(st.sampled_from(["Signature-Input", "Signature", "Signature-Agent"]))
    text = request.field(name.lower()) or ""
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != text[at]))
    result = judge(with_field(request, name, text[:at] + other + text[at + 1 :]))
    if (
        result.outcome is SignatureOutcome.VERIFIED
    ):  # only what isn't signed: spaces, the spelling of a URL's host
        assert (result.agent, result.keyid) == (AGENT, SIGNER.keyid)
        assert text[at] == " " or other in " \t" or text[at].lower() == other.lower() or name == "Signature"


def test_a_request_has_the_host_of_the_host_header() -> None:
    signed = SIGNER.sign()
    for target in ("/post?a=b", "http://evil.example/post?a=b"):
        request = SignedRequest.from_target("GET", target, signed.headers)
        assert request.url == "https://blog.example/post?a=b"
    two = SignedRequest.from_target("GET", "/post", (*signed.headers, ("host", "evil.example")))
    assert judge(two).outcome is SignatureOutcome.INVALID


def test_invalid_characters_do_not_break_a_signature_without_the_path() -> None:
    signed = SIGNER.sign(components=("@authority", '"signature-agent";key="sig1"'))
    request = SignedRequest.from_target("GET", '/a|b"\xe9%x', signed.headers)
    assert judge(request).outcome is SignatureOutcome.VERIFIED
