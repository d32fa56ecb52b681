"""Verification of a request's Web Bot Auth signatures.

RFC 9421 with the profile of draft-ietf-webbotauth-httpsig-protocol-01. No code here uses the network: a
signature with a key that isn't cached is *unverified*, and its result names the directory to fetch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureComponentResolver,
    MappingKeyResolver,
    algorithms,
)

from aipolicy.identity.signatures.keys import Key
from aipolicy.identity.signatures.request import Lines, SignedRequest
from aipolicy.identity.signatures.signature_fields import (
    TAG,
    FieldError,
    SignatureClaim,
    attributed_agent,
    read_claims,
)

ALGORITHMS = {
    algorithm.algorithm_id: algorithm
    for algorithm in (
        algorithms.ED25519,
        algorithms.ECDSA_P256_SHA256,
        algorithms.ECDSA_P384_SHA384,
        algorithms.RSA_PSS_SHA512,
    )
}
"""The algorithms of RFC 9421 §3.3 with which only one party can sign, without PKCS#1 v1.5."""

EXAMPLE_KEYS = frozenset(
    {"poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U", "oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA"}
)
"""Thumbprints of the keys in RFC 9421 Appendix B.1, whose private keys are public."""

_MAX_KEYID = 128  # characters
_MAX_URL = 8192  # characters
_SIGNATURE_HEADERS = frozenset({"signature", "signature-input"})
_MAX_SHOWN = 100  # characters of a client's input in a message


class SignatureOutcome(StrEnum):
    """The outcome of a verification, in the words of the draft's appendix "Verifier Outcomes"."""

    VERIFIED = "verified"
    """The signature was made with a key that the signature agent publishes."""
    INVALID = "invalid"
    """A check failed."""
    UNVERIFIED = "unverified"
    """The key is not known, so the signature was not checked."""
    UNSIGNED = "unsigned"
    """The request has no signature, which says nothing about its sender. Not in the draft."""


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """The outcome for one signature.

    Attributes:
        outcome: The outcome.
        reason: The reason, for people.
        label: The signature's label in Signature-Input.
        agent: The URL of the agent that the signature names: only a claim unless it is verified.
        directory: The URL of that agent's keys.
        keyid: The thumbprint of the key.
        fetch: The directory's URL if fetching it may change the outcome, or is due.
        unread: True if the key is not known because the directory was never read, or its last read failed.
        forged: True if the key is known and did not make this signature.
    """

    outcome: SignatureOutcome
    reason: str
    label: str | None = None
    agent: str | None = None
    directory: str | None = None
    keyid: str | None = None
    fetch: str | None = None
    unread: bool = False
    forged: bool = False


UNSIGNED = SignatureResult(SignatureOutcome.UNSIGNED, "the request has no Web Bot Auth signature")

_PRECEDENCE = (
    SignatureOutcome.VERIFIED,
    SignatureOutcome.UNVERIFIED,
    SignatureOutcome.INVALID,
    SignatureOutcome.UNSIGNED,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """A server's own requirements for signatures, beyond those of the draft (§5.2) and RFC 9421 §3.2.1.

    Attributes:
        skew: Maximum difference between the signer's clock and ours, in seconds.
        lifetime: Maximum time between ``created`` and ``expires``, in seconds; None for no limit.
        age: Maximum time since ``created``, in seconds; None for no limit. Until then anyone who saw the
            signature can send it again.
        required: Components that a signature must cover, by their RFC 9421 names such as ``@path``.
        example_keys: Accept the keys that RFC 9421 prints. For tests only.
    """

    skew: float = 60.0
    lifetime: float | None = 86_400.0
    age: float | None = 86_400.0
    required: tuple[str, ...] = ()
    example_keys: bool = False

    def check_coverage(self, claim: SignatureClaim) -> None:
        """Raise FieldError if the signature doesn't cover the host: it would be valid for any host."""
        if not any(name in ("@authority", "@target-uri") and not params for name, params in claim.components):
            raise FieldError("the signature covers neither @authority nor @target-uri")

    def keyid(self, claim: SignatureClaim, now: float) -> str:
        """Return the thumbprint of the key that a signature names.

        Raises:
            FieldError: The signature's parameters are invalid at ``now``.
        """
        params = claim.params
        created, expires, keyid = (params.get(name) for name in ("created", "expires", "keyid"))
        if type(created) is not int or type(expires) is not int:
            raise FieldError("the signature has no valid created or expires parameter")
        if not isinstance(keyid, str) or not 0 < len(keyid) <= _MAX_KEYID:
            raise FieldError("the signature has no valid keyid parameter")
        if created > now + self.skew:
            raise FieldError("the signature was created in the future: one of the clocks is wrong")
        if expires < now - self.skew:
            raise FieldError("the signature has expired")
        if expires < created or (self.lifetime is not None and expires - created > self.lifetime):
            raise FieldError(f"the signature must expire within {self.lifetime or 0:g} s of its creation")
        if self.age is not None and now - created > self.age + self.skew:
            raise FieldError(f"the signature is older than {self.age:g} s")
        if "alg" in params and params["alg"] not in ALGORITHMS:
            raise FieldError("the signature's algorithm must be one of " + ", ".join(ALGORITHMS))
        if keyid in EXAMPLE_KEYS and not self.example_keys:
            raise FieldError("the signature's key is the public example of RFC 9421")
        return keyid


class KeyResult(NamedTuple):
    """The result of looking up a key.

    Attributes:
        key: The key, or None.
        fetch: True if the directory should be fetched.
        reason: The reason if there is no key.
        unread: True if there is no key because the directory was never read, or its last read failed.
    """

    key: Key | None
    fetch: bool
    reason: str = ""
    unread: bool = False


class KeySource(Protocol):
    """A source of keys: by directory **and** key id, never by the key id alone."""

    def find(self, directory: str, keyid: str) -> KeyResult:
        """Return the key with that thumbprint from the directory at that URL."""


class Verifier:
    """A verifier of the signatures of requests.

    A signature that covers little can be sent again, for other paths too, until it expires: nonces are not
    stored. ``Rules`` can require more coverage.

    Args:
        keys: The source of keys, usually ``Directories``.
        rules: The requirements for signatures.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self, keys: KeySource, *, rules: Rules | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._rules = Rules() if rules is None else rules
        self._clock = clock

    def verify(self, request: SignedRequest) -> SignatureResult:
        """Return the strongest result of the request's signatures, a verified one first. Never raises."""
        results = self.verify_each(request)
        return min(results, key=lambda result: _PRECEDENCE.index(result.outcome), default=UNSIGNED)

    def verify_each(self, request: SignedRequest) -> tuple[SignatureResult, ...]:
        """Return one result for each signature, and none if the request is unsigned. Never raises."""
        try:
            claims = read_claims(request)
        except FieldError as error:
            return (SignatureResult(SignatureOutcome.INVALID, str(error)),)
        return tuple(self._verify_claim(request, claim) for claim in claims)

    def _verify_claim(self, request: SignedRequest, claim: SignatureClaim) -> SignatureResult:
        def result(
            outcome: SignatureOutcome, reason: str, fetch: bool = False, **flags: bool
        ) -> SignatureResult:
            url, directory = (agent.url, agent.directory) if agent else (None, None)
            due = directory if fetch else None
            return SignatureResult(outcome, reason, claim.short_label, url, directory, keyid, due, **flags)

        agent, keyid = None, None
        try:
            claim.check()
            agent, kind = attributed_agent(request, claim)
            self._rules.check_coverage(claim)
            keyid = self._rules.keyid(claim, self._clock())
        except FieldError as error:
            return result(SignatureOutcome.INVALID, str(error))
        if len(request.url) > _MAX_URL:
            return result(
                SignatureOutcome.UNVERIFIED, f"the request's URL is longer than {_MAX_URL} characters"
            )
        if kind == "cimd":
            reason = "its keys are in a client metadata document, which is not supported"
            return result(SignatureOutcome.UNVERIFIED, reason)
        key, fetch, reason, unread = self._keys.find(agent.directory, keyid)
        if key is None:
            return result(SignatureOutcome.UNVERIFIED, reason, fetch, unread=unread)
        failure = _failure(request, claim, key, self._rules.required)
        if failure is not None:
            return result(SignatureOutcome.INVALID, failure.reason, fetch, forged=failure.forged)
        return result(SignatureOutcome.VERIFIED, f"signed with a key of {agent.url}", fetch)


class _Headers:
    """Header lines in the form that the library reads."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def items(self) -> Lines:
        return self._lines


class _Message:
    """A request in the form that the library reads."""

    def __init__(self, request: SignedRequest, headers: Lines) -> None:
        self.method, self.url = request.method, request.url
        self.headers = _Headers(headers)


class _MessageOfOneSignature:
    """A request with one of its signatures: the library rejects a request if any of its signatures is bad."""

    def __init__(self, request: SignedRequest, claim: SignatureClaim) -> None:
        others = (line for line in request.headers if line[0].lower() not in _SIGNATURE_HEADERS)
        self.headers = _Headers((*others, *claim.header_lines()))
        self.request = _Message(request, request.headers)


class _WholeRequestResolver(HTTPSignatureComponentResolver):
    """A resolver of components from the whole request: one signature can cover another (RFC 9421 §4.3)."""

    def __init__(self, message: _MessageOfOneSignature) -> None:
        super().__init__(message.request)  # type: ignore[no-untyped-call]


class _Failure(NamedTuple):
    """``forged`` is True if the key did not make the signature; False if it could not be checked."""

    reason: str
    forged: bool = False


def _failure(
    request: SignedRequest, claim: SignatureClaim, key: Key, required: tuple[str, ...]
) -> _Failure | None:
    """Return the failure of a signature that ``key`` did not make, or that covers too little; else None."""
    if claim.params.get("alg", key.algorithm) != key.algorithm:
        return _Failure("the signature's algorithm is not its key's")
    verifier = _UntimedVerifier(
        signature_algorithm=ALGORITHMS[key.algorithm],
        key_resolver=MappingKeyResolver(public_keys={key.thumbprint: key.public}, private_keys={}),
        component_resolver_class=_WholeRequestResolver,
    )
    has_digest = any(name == "content-digest" for name, _ in claim.components)
    try:
        verifier.verify(
            _MessageOfOneSignature(request, claim),
            max_age=None,
            expect_tag=TAG,
            expect_label=claim.label,
            require_components=required,
            body=request.body if has_digest else None,
        )
    except Exception as error:  # a client's headers can make the library raise anything
        message = str(error).encode("ascii", "backslashreplace").decode()[:_MAX_SHOWN]
        forged = isinstance(error.__cause__, InvalidSignature)
        return _Failure(f"the signature does not verify ({message or type(error).__name__})", forged)
    return None


class _AnyParameter(set[str]):
    """A set that contains every name: RFC 9421 §6.3 lets parameters be added, and a signature covers each.

    A signature covers the names, values and order of its parameters, serialised anew (§2.3), and not the
    bytes that were sent: a signer that wrote ``1.50`` has signed ``1.5``.
    """

    def __contains__(self, name: object) -> bool:
        return True


class _UntimedVerifier(HTTPMessageVerifier):
    """The library's verifier without its check of times, which ``Rules`` does with an injected clock."""

    signature_metadata_parameters: ClassVar[set[str]] = _AnyParameter()

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        pass
