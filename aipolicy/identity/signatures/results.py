"""What became of a request's signatures."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """draft-ietf-webbotauth-httpsig-protocol-01, appendix "Verifier Outcomes", and that of no signature."""

    VERIFIED = "verified"
    """It was made by a holder of a key that the signature agent publishes."""
    INVALID = "invalid"
    """A check failed."""
    UNVERIFIED = "unverified"
    """It can't be told: the key is not known. Neither of the above."""
    UNSIGNED = "unsigned"
    """There is none, which says nothing about the sender."""


@dataclass(frozen=True, slots=True)
class SignatureResult:
    """One signature's outcome, with the reason in words.

    ``agent`` is the URL that the signature is attributed to: a claim, unless it is verified. ``directory`` is
    where that agent's keys are. ``fetch`` is ``directory`` where reading it could tell more, or is due.
    ``unread``: the key is not known, for that directory was not read, or could not be. ``forged``: the key is
    known, and didn't make the signature of this request.
    """

    outcome: Outcome
    reason: str
    label: str | None = None
    agent: str | None = None
    directory: str | None = None
    keyid: str | None = None
    fetch: str | None = None
    unread: bool = False
    forged: bool = False


UNSIGNED = SignatureResult(Outcome.UNSIGNED, "the request has no Web Bot Auth signature")

_WEIGHT = {Outcome.VERIFIED: 0, Outcome.UNVERIFIED: 1, Outcome.INVALID: 2, Outcome.UNSIGNED: 3}


def decisive(results: tuple[SignatureResult, ...]) -> SignatureResult:
    """The result that says most: a verified signature before one that may yet be, before one that failed."""
    return min(results, key=lambda result: _WEIGHT[result.outcome], default=UNSIGNED)
