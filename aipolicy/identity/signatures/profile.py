"""What a signature must be, besides right: covered components, times, algorithm.

draft-ietf-webbotauth-httpsig-protocol-01 §5.2 and RFC 9421 §3.2.1.
"""

from dataclasses import dataclass

from aipolicy.identity.signatures.signature_fields import Claim, FieldError

ALGORITHMS = ("ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512")
"""Of RFC 9421 §3.3 those that only one party can sign with, without PKCS#1 v1.5."""

EXAMPLE_KEYS = frozenset(
    {"poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U", "oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA"}
)
"""Thumbprints of the keys in RFC 9421 Appendix B.1: anybody has them."""

_LONGEST_KEYID = 128


@dataclass(frozen=True, slots=True)
class Rules:
    """Local policy. Times are in seconds; None: no bound.

    ``skew``            how far the signer's clock may be from ours.
    ``lifetime``        how long after ``created`` a signature may expire.
    ``age``             how old it may be: until then whoever saw it can send it again.
    ``required``        components that it must cover, as RFC 9421 names them, like ``@path``.
    ``example_keys``    whether the keys that RFC 9421 prints count: for tests.
    """

    skew: float = 60.0
    lifetime: float | None = 86_400.0
    age: float | None = 86_400.0
    required: tuple[str, ...] = ()
    example_keys: bool = False

    def covered(self, claim: Claim) -> None:
        """Raises FieldError where a signature would hold for any host."""
        if not any(name in ("@authority", "@target-uri") and not its for name, its in claim.components):
            raise FieldError("the signature covers neither @authority nor @target-uri")

    def keyid(self, claim: Claim, now: float) -> str:
        """The key that ``claim`` names. Raises FieldError for one that can't be valid."""
        params = claim.params
        created, expires, keyid = (params.get(name) for name in ("created", "expires", "keyid"))
        if type(created) is not int or type(expires) is not int:
            raise FieldError("the signature does not say when it was created and when it expires")
        if not isinstance(keyid, str) or not 0 < len(keyid) <= _LONGEST_KEYID:
            raise FieldError("the signature does not name its key")
        if created > now + self.skew:
            raise FieldError("the signature was created in the future: one of the clocks is wrong")
        if expires < now - self.skew:
            raise FieldError("the signature has expired")
        if expires < created or (self.lifetime is not None and expires - created > self.lifetime):
            raise FieldError(
                f"the signature must expire within {self.lifetime or 0:g} s after it was created"
            )
        if self.age is not None and now - created > self.age + self.skew:
            raise FieldError(f"the signature is older than {self.age:g} s")
        if "alg" in params and params["alg"] not in ALGORITHMS:
            raise FieldError("the signature's algorithm is none of " + ", ".join(ALGORITHMS))
        if keyid in EXAMPLE_KEYS and not self.example_keys:
            raise FieldError("the signature's key is printed in RFC 9421: anybody has it")
        return keyid
