"""Public keys from a signature agent's directory, which is a JSON Web Key Set (RFC 7517)."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

MAX_KEYS = 64

_BITS = (2048, 8192)  # of an RSA key: longer ones are slow to verify
_EXPONENT = 1 << 33
_MILLISECONDS = 100_000_000_000  # a larger number is in milliseconds: in seconds it is past the year 5138
_PRIVATE = frozenset({"d", "p", "q", "k"})
_CURVES: dict[str, tuple[type[ec.EllipticCurve], str, int]] = {
    "P-256": (ec.SECP256R1, "ecdsa-p256-sha256", 32),
    "P-384": (ec.SECP384R1, "ecdsa-p384-sha384", 48),
}
# Names of JSON Web Algorithms (RFC 7518, RFC 8037, RFC 9864) beside those of RFC 9421.
_ALG = {
    "ed25519": ("ed25519", "EdDSA", "Ed25519"),
    "rsa-pss-sha512": ("rsa-pss-sha512", "PS512"),
    "ecdsa-p256-sha256": ("ecdsa-p256-sha256", "ES256"),
    "ecdsa-p384-sha384": ("ecdsa-p384-sha384", "ES384"),
}

PublicKey = ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class DirectoryError(ValueError):
    """An invalid key directory; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, valid from ``begins`` to ``ends`` in seconds since 1970; None means no limit."""

    thumbprint: str
    public: PublicKey
    algorithm: str
    begins: float | None
    ends: float | None

    def problem_at(self, now: float) -> str | None:
        """Return the reason if the key is not valid at ``now``, else None."""
        if self.begins is not None and now < self.begins:
            return "is not in use yet"
        if self.ends is not None and now >= self.ends:
            return "has expired"
        return None


def read_keys(body: bytes, *, well_known: bool) -> Mapping[str, Key]:
    """Return the usable keys of a key set by thumbprint.

    Args:
        body: The key set.
        well_known: True for the well-known URI, where a ``kid`` must be the key's thumbprint (§6).

    Raises:
        DirectoryError: It is not a key set.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise DirectoryError("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise DirectoryError('it has no "keys"')
    if len(entries) > MAX_KEYS:
        raise DirectoryError(f"it has {len(entries)} keys: at most {MAX_KEYS} are read")
    keys = {}
    for entry in entries:
        try:
            key = read_key(entry)
        except ValueError:
            continue
        if not well_known or entry.get("kid", key.thumbprint) == key.thumbprint:
            keys[key.thumbprint] = key
    return keys


def read_key(entry: Any) -> Key:
    """Return the key of a JSON Web Key.

    Raises:
        ValueError: It can't be used to verify a signature.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("kty"), str):
        raise ValueError("it is not a key")
    if entry.keys() & _PRIVATE:
        raise ValueError("it is a private key, which is public now")
    reader = _READERS.get(entry["kty"])
    if reader is None:
        raise ValueError(f"keys of type {entry['kty']!r} are not supported")
    try:
        public, algorithm, members = reader(entry)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for signatures")
    if entry.get("alg", algorithm) not in _ALG[algorithm]:
        raise ValueError("it is for another algorithm")
    return Key(thumbprint(members), public, algorithm, _timestamp(entry, "nbf"), _timestamp(entry, "exp"))


def thumbprint(members: Mapping[str, str]) -> str:
    """Return the SHA-256 of the required members, sorted, without spaces (RFC 7638 §3, RFC 8037 A.3)."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


_Read = tuple[PublicKey, str, dict[str, str]]


def _okp(entry: dict[str, Any]) -> _Read:
    if entry.get("crv") != "Ed25519":
        raise ValueError("its curve is not Ed25519")
    public = ed25519.Ed25519PublicKey.from_public_bytes(_base64url(entry, "x", 32))
    return public, "ed25519", {"crv": "Ed25519", "kty": "OKP", "x": entry["x"]}


def _rsa(entry: dict[str, Any]) -> _Read:
    modulus, exponent = (int.from_bytes(_base64url(entry, name)) for name in ("n", "e"))
    if not _BITS[0] <= modulus.bit_length() <= _BITS[1] or exponent >= _EXPONENT:
        raise ValueError(f"an RSA key must have {_BITS[0]} to {_BITS[1]} bits")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return public, "rsa-pss-sha512", {"e": entry["e"], "kty": "RSA", "n": entry["n"]}


def _ec(entry: dict[str, Any]) -> _Read:
    curve, algorithm, size = _CURVES.get(str(entry.get("crv")), (None, "", 0))
    if curve is None:
        raise ValueError("its curve is neither P-256 nor P-384")
    x, y = (int.from_bytes(_base64url(entry, name, size)) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, curve()).public_key()
    return public, algorithm, {name: entry[name] for name in ("crv", "kty", "x", "y")}


_READERS: dict[str, Callable[[dict[str, Any]], _Read]] = {"OKP": _okp, "RSA": _rsa, "EC": _ec}


def _base64url(entry: dict[str, Any], name: str, size: int | None = None) -> bytes:
    """Decode a member in base64url without padding (RFC 7515 §2).

    Only the canonical spelling is accepted, because with others a key would have several thumbprints.
    """
    text = entry.get(name)
    if not isinstance(text, str) or len(text) > _BITS[1]:
        raise ValueError(f"it has no {name}")
    try:
        value = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError(f"its {name} is not base64url") from None
    if base64.urlsafe_b64encode(value).rstrip(b"=").decode() != text or size not in (None, len(value)):
        raise ValueError(f"its {name} is not base64url" + (f" of {size} bytes" if size else ""))
    return value


def _timestamp(entry: dict[str, Any], name: str) -> float | None:
    """Return a time in seconds since 1970. Some directories use milliseconds."""
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        raise ValueError(f"its {name} is not a time")
    return value / 1000 if abs(value) >= _MILLISECONDS else float(value)
