"""Keys, signers and key directories for tests, and the vectors of the drafts."""

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from aipolicy.identity.signatures import Key, KeyResult, SignedRequest, read_key

EXAMPLE_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}
EXAMPLE = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
AGENT = "https://signature-agent.test"
DIRECTORY = f"{AGENT}/.well-known/http-message-signatures-directory"
NOW = 1_790_000_000.0


class Clock:
    """A clock in seconds since 1970 that only advances when it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryKeys:
    """A key source in memory, without directories."""

    def __init__(self, *keys: Mapping[str, Any], directory: str = DIRECTORY) -> None:
        self._keys = {(directory, key.thumbprint): key for key in map(read_key, keys)}

    def find(self, directory: str, keyid: str) -> KeyResult:
        key: Key | None = self._keys.get((directory, keyid))
        return KeyResult(key, False) if key else KeyResult(None, True, "not here")


def base64url(number: int, size: int | None = None) -> str:
    raw = number.to_bytes(size or (number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwk_of(public: Any) -> dict[str, str]:
    """Return the JSON Web Key of a public key."""
    if isinstance(public, ed25519.Ed25519PublicKey):
        x = base64.urlsafe_b64encode(public.public_bytes_raw()).rstrip(b"=").decode()
        return {"kty": "OKP", "crv": "Ed25519", "x": x}
    numbers = public.public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": base64url(numbers.n), "e": base64url(numbers.e)}
    size = (public.curve.key_size + 7) // 8
    crv = f"P-{public.curve.key_size}"
    return {"kty": "EC", "crv": crv, "x": base64url(numbers.x, size), "y": base64url(numbers.y, size)}


@dataclass
class Outgoing:
    """A request to sign, in the form that the library reads."""

    method: str
    url: str
    headers: dict[str, str]


class Signer:
    """A signing client; ``sign`` returns the request as a server receives it."""

    def __init__(self, private: Any = None) -> None:
        self.private = ed25519.Ed25519PrivateKey.generate() if private is None else private
        self.jwk = jwk_of(self.private.public_key())
        self.keyid = read_key(self.jwk).thumbprint
        self._algorithm = _algorithm(self.private)

    @property
    def directory(self) -> bytes:
        return json.dumps({"keys": [self.jwk | {"kid": self.keyid, "use": "sig"}]}).encode()

    def sign(
        self,
        method: str = "GET",
        url: str = "https://blog.example/post",
        *,
        agent: str = f'sig1="{AGENT}"',
        components: Iterable[str] = ("@authority", "@method", "@path", '"signature-agent";key="sig1"'),
        label: str = "sig1",
        created: float = NOW - 10,
        lifetime: float = 600,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> SignedRequest:
        host = url.split("/")[2]
        outgoing = Outgoing(method, url, {"Host": host, **(headers or {}), "Signature-Agent": agent})
        signer = HTTPMessageSigner(
            signature_algorithm=self._algorithm,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={self.keyid: self.private}),
        )
        signer.sign(
            outgoing,
            key_id=self.keyid,
            created=dt.datetime.fromtimestamp(created, dt.UTC),
            expires=dt.datetime.fromtimestamp(created + lifetime, dt.UTC),
            label=label,
            covered_component_ids=list(components),
            **{"tag": "web-bot-auth", **options},
        )
        return SignedRequest(method, url, tuple(outgoing.headers.items()))


def _algorithm(private: Any) -> type[algorithms.HTTPSignatureAlgorithm]:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return algorithms.ED25519
    if isinstance(private, rsa.RSAPrivateKey):
        return algorithms.RSA_PSS_SHA512
    if isinstance(private.curve, ec.SECP256R1):
        return algorithms.ECDSA_P256_SHA256
    return algorithms.ECDSA_P384_SHA384
