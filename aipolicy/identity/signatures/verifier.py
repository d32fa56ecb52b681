"""Verifies the Web Bot Auth signatures of a request: RFC 9421, with the profile of the draft.

Nothing here asks the network: keys that aren't known make a signature *unverified*, and the result names the
directory to fetch.
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureComponentResolver,
    MappingKeyResolver,
    algorithms,
)

from aipolicy.identity.signatures.keys import Key
from aipolicy.identity.signatures.profile import Rules
from aipolicy.identity.signatures.request import Lines, SignedRequest
from aipolicy.identity.signatures.results import Outcome, SignatureResult, decisive
from aipolicy.identity.signatures.signature_fields import TAG, Claim, FieldError, attributed, claims

ALGORITHMS = {
    algorithm.algorithm_id: algorithm
    for algorithm in (
        algorithms.ED25519,
        algorithms.ECDSA_P256_SHA256,
        algorithms.ECDSA_P384_SHA384,
        algorithms.RSA_PSS_SHA512,
    )
}

_LONGEST_URL = 8192  # characters
_SIGNATURES = frozenset({"signature", "signature-input"})
_SHOWN = 100  # characters of what a stranger wrote


class Found(NamedTuple):
    """``key`` or, where there is none, the ``reason``; ``fetch``: whether reading the directory is due.

    ``unread``: there is no key, and the directory was never read, or could not be when that was last tried.
    """

    key: Key | None
    fetch: bool
    reason: str = ""
    unread: bool = False


class Keys(Protocol):
    """Where a verifier finds keys: by directory **and** key id, never by the key id alone."""

    def find(self, directory: str, keyid: str) -> Found:
        """The key of that thumbprint in the directory at that URL."""


class Verifier:
    """``verify(request)`` says who signed it. Takes keys from ``keys``, mostly ``Directories``.

    A signature that covers little can be sent again, for other paths too, until it expires: nonces aren't
    remembered. ``rules`` can ask for more cover. ``clock`` tells seconds since 1970.
    """

    def __init__(
        self, keys: Keys, *, rules: Rules | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._rules = Rules() if rules is None else rules
        self._clock = clock

    def verify(self, request: SignedRequest) -> SignatureResult:
        """What the request's signatures say: of several, the one that says most. Never raises."""
        return decisive(self.verify_each(request))

    def verify_each(self, request: SignedRequest) -> tuple[SignatureResult, ...]:
        """A result a signature, each judged alone; none where the request is unsigned. Never raises."""
        try:
            found = claims(request)
        except FieldError as error:
            return (SignatureResult(Outcome.INVALID, str(error)),)
        return tuple(self._judged(request, claim) for claim in found)

    def _judged(self, request: SignedRequest, claim: Claim) -> SignatureResult:
        def result(outcome: Outcome, reason: str, fetch: bool = False, **flags: bool) -> SignatureResult:
            url, directory = (agent.url, agent.directory) if agent else (None, None)
            due = directory if fetch else None
            return SignatureResult(outcome, reason, claim.shown, url, directory, keyid, due, **flags)

        agent, keyid = None, None
        try:
            claim.sound()
            agent, kind = attributed(request, claim)
            self._rules.covered(claim)
            keyid = self._rules.keyid(claim, self._clock())
        except FieldError as error:
            return result(Outcome.INVALID, str(error))
        if len(request.url) > _LONGEST_URL:
            return result(Outcome.UNVERIFIED, f"the request's URL is longer than {_LONGEST_URL} characters")
        if kind == "cimd":
            return result(Outcome.UNVERIFIED, "the keys are in a client metadata document, which isn't read")
        key, fetch, reason, unread = self._keys.find(agent.directory, keyid)
        if key is None:
            return result(Outcome.UNVERIFIED, reason, fetch, unread=unread)
        digest = any(name == "content-digest" for name, _ in claim.components)
        trouble = signature_trouble(
            Message(request),
            claim,
            key,
            tag=TAG,
            required=self._rules.required,
            body=request.body if digest else None,
        )
        if trouble is not None:
            return result(Outcome.INVALID, trouble.reason, fetch, forged=trouble.forged)
        return result(Outcome.VERIFIED, f"signed with a key of {agent.url}", fetch)


class Message:
    """A request in the form that the library takes."""

    def __init__(self, request: SignedRequest) -> None:
        self.method, self.url = request.method, request.url
        self.headers = _Headers(request.headers)


class _Headers:
    """All lines in order: what the library asks headers for."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def items(self) -> Lines:
        return self._lines


class _Alone:
    """A message with one of its signatures: the library refuses each for what is wrong with another."""

    def __init__(self, whole: Message, claim: Claim) -> None:
        lines = (line for line in whole.headers.items() if line[0].lower() not in _SIGNATURES)
        self.whole, self.headers = whole, _Headers((*lines, *claim.alone()))


class _OfTheWhole(HTTPSignatureComponentResolver):
    """A signature can cover another one (RFC 9421 §4.3)."""

    def __init__(self, message: _Alone | Message) -> None:
        super().__init__(message.whole if isinstance(message, _Alone) else message)  # type: ignore[no-untyped-call]


class Trouble(NamedTuple):
    """``forged``: it is the key that says no, and not what could be checked or is asked for here."""

    reason: str
    forged: bool = False


def signature_trouble(
    message: Message, claim: Claim, key: Key, *, tag: str, required: tuple[str, ...], body: bytes | None
) -> Trouble | None:
    """Why a signature isn't ``key``'s, or does not cover what is ``required``; None: all is well."""
    if claim.params.get("alg", key.algorithm) != key.algorithm:
        return Trouble("the signature's algorithm is not its key's")
    resolver = MappingKeyResolver(public_keys={key.thumbprint: key.public}, private_keys={})
    verifier = _Timeless(
        signature_algorithm=ALGORITHMS[key.algorithm],
        key_resolver=resolver,
        component_resolver_class=_OfTheWhole,
    )
    try:
        verifier.verify(
            _Alone(message, claim),
            max_age=None,
            expect_tag=tag,
            expect_label=claim.label,
            require_components=required,
            body=body,
        )
    except Exception as error:  # whatever a stranger's headers lead the library to
        said = str(error).encode("ascii", "backslashreplace").decode()[:_SHOWN]
        forged = isinstance(error.__cause__, InvalidSignature)
        return Trouble(f"the signature does not verify ({said or type(error).__name__})", forged)
    return None


class _Every(set[str]):
    """The registry of parameters grows (RFC 9421 §6.3), and a signature covers each, known or not.

    Covered are their names, values and order, serialised anew from what was read (§2.3), and not the octets
    that were sent: a signer that wrote ``1.50`` has signed ``1.5``.
    """

    def __contains__(self, name: object) -> bool:
        return True


class _Timeless(HTTPMessageVerifier):
    """Leaves the times to ``Rules``, whose clock can be another than the machine's."""

    signature_metadata_parameters: ClassVar[set[str]] = _Every()

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        pass
