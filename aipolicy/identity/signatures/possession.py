"""A directory's proof that who serves it holds its keys: the signatures of its response.

draft-ietf-webbotauth-httpsig-protocol-01, appendix "Possession Proof on the Directory Response". Keys that
were read from the directory itself need none; keys that somebody else passed on do.
"""

import time
from collections.abc import Callable, Mapping

from aipolicy.identity.signatures.keys import Key
from aipolicy.identity.signatures.profile import Rules
from aipolicy.identity.signatures.request import Lines, SignedRequest
from aipolicy.identity.signatures.results import Outcome, SignatureResult
from aipolicy.identity.signatures.signature_fields import Claim, FieldError, claims
from aipolicy.identity.signatures.verifier import Message, signature_trouble

TAG = "http-message-signatures-directory"

_REQUIRED = ('"@authority";req', "content-digest")


def possession(
    directory: str,
    headers: Lines,
    body: bytes,
    keys: Mapping[str, Key],
    *,
    rules: Rules | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[SignatureResult, ...]:
    """A result a signature of the response to ``GET directory``, made with one of its ``keys``. Never raises.

    ``body`` is as served, its content coding undone. Without ``rules`` a proof may be as old as its
    ``expires`` allows.
    """
    rules = Rules(lifetime=None, age=None) if rules is None else rules
    request = SignedRequest("GET", directory, ())
    try:
        found = claims(SignedRequest("GET", directory, headers), tag=TAG)
    except FieldError as error:
        return (SignatureResult(Outcome.INVALID, str(error), directory=directory),)

    def judged(claim: Claim) -> SignatureResult:
        keyid = None
        try:
            claim.sound()
            keyid = rules.keyid(claim, clock())
            key = keys.get(keyid)
            if key is None:
                raise FieldError("the directory has no such key")
            message = _ResponseMessage(headers, request)
            trouble = signature_trouble(message, claim, key, tag=TAG, required=_REQUIRED, body=body)
            outcome = Outcome.VERIFIED if trouble is None else Outcome.INVALID
            reason = trouble.reason if trouble else "signed by who holds the key"
        except FieldError as error:
            outcome, reason = Outcome.INVALID, str(error)
        return SignatureResult(outcome, reason, claim.shown, directory=directory, keyid=keyid)

    return tuple(map(judged, found))


class _ResponseMessage(Message):
    """A response in the form that the library takes."""

    def __init__(self, headers: Lines, request: SignedRequest) -> None:
        super().__init__(SignedRequest(request.method, request.url, headers))
        self.status_code = 200
        self.request = Message(request)
