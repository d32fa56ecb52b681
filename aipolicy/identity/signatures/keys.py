"""Public keys, read from a signature agent's directory: a JSON Web Key Set (RFC 7517)."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

MOST_KEYS = 64

_BITS = (2048, 8192)  # of an RSA key: a longer one costs whoever verifies
_EXPONENT = 1 << 33
_MILLISECONDS = 100_000_000_000  # seconds would be the year 5138
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
    """What was read is no directory of keys; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. ``begins`` and ``ends`` bound when it counts, in seconds since 1970; None: no bound."""

    thumbprint: str
    public: PublicKey
    algorithm: str
    begins: float | None
    ends: float | None

    def trouble_at(self, now: float) -> str | None:
        """Why it doesn't count then; None: it does."""
        if self.begins is not None and now < self.begins:
            return "is not in use yet"
        if self.ends is not None and now >= self.ends:
            return "has expired"
        return None


def read_keys(body: bytes, *, well_known: bool) -> Mapping[str, Key]:
    """Thumbprint → key. Raises DirectoryError where it is no key set; a key that can't be used is left out.

    At the ``well_known`` URI a ``kid`` must be the key's thumbprint (§6); elsewhere it is the operator's own.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise DirectoryError("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise DirectoryError('it has no "keys"')
    if len(entries) > MOST_KEYS:
        raise DirectoryError(f"it has {len(entries)} keys: at most {MOST_KEYS} are read")
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
    """One JSON Web Key. Raises ValueError for one that can't verify a signature here."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kty"), str):
        raise ValueError("it is not a key")
    if entry.keys() & _PRIVATE:
        raise ValueError("it is a secret key, and anybody has it by now")
    reader = _READERS.get(entry["kty"])
    if reader is None:
        raise ValueError(f"keys of type {entry['kty']!r} don't sign here")
    try:
        public, algorithm, members = reader(entry)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for signatures")
    if entry.get("alg", algorithm) not in _ALG[algorithm]:
        raise ValueError("it is for another algorithm")
    return Key(thumbprint(members), public, algorithm, _moment(entry, "nbf"), _moment(entry, "exp"))


def thumbprint(members: Mapping[str, str]) -> str:
    """RFC 7638 §3 (RFC 8037 Appendix A.3): SHA-256 of the required members, sorted, without spaces."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


_Read = tuple[PublicKey, str, dict[str, str]]


def _okp(entry: dict[str, Any]) -> _Read:
    if entry.get("crv") != "Ed25519":
        raise ValueError("it is on another curve than Ed25519")
    public = ed25519.Ed25519PublicKey.from_public_bytes(_octets(entry, "x", 32))
    return public, "ed25519", {"crv": "Ed25519", "kty": "OKP", "x": entry["x"]}


def _rsa(entry: dict[str, Any]) -> _Read:
    modulus, exponent = (int.from_bytes(_octets(entry, name)) for name in ("n", "e"))
    if not _BITS[0] <= modulus.bit_length() <= _BITS[1] or exponent >= _EXPONENT:
        raise ValueError(f"an RSA key has {_BITS[0]} to {_BITS[1]} bits")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return public, "rsa-pss-sha512", {"e": entry["e"], "kty": "RSA", "n": entry["n"]}


def _ec(entry: dict[str, Any]) -> _Read:
    curve, algorithm, size = _CURVES.get(str(entry.get("crv")), (None, "", 0))
    if curve is None:
        raise ValueError("it is on another curve than P-256 and P-384")
    x, y = (int.from_bytes(_octets(entry, name, size)) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, curve()).public_key()
    return public, algorithm, {name: entry[name] for name in ("crv", "kty", "x", "y")}


_READERS: dict[str, Callable[[dict[str, Any]], _Read]] = {"OKP": _okp, "RSA": _rsa, "EC": _ec}


def _octets(entry: dict[str, Any], name: str, size: int | None = None) -> bytes:
    """Base64url without padding (RFC 7515 §2), in its one spelling: else a key had several thumbprints."""
    text = entry.get(name)
    if not isinstance(text, str) or len(text) > _BITS[1]:
        raise ValueError(f"it has no {name}")
    try:
        octets = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError(f"its {name} is not base64url") from None
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() != text or size not in (None, len(octets)):
        raise ValueError(f"its {name} is not base64url of {size or 'some'} octets")
    return octets


def _moment(entry: dict[str, Any], name: str) -> float | None:
    """Seconds since 1970. Some directories give milliseconds."""
    value = entry.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        raise ValueError(f"its {name} is no moment")
    return value / 1000 if abs(value) >= _MILLISECONDS else float(value)
