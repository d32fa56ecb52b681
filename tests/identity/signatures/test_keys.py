"""Keys in key directories."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.identity.signatures import read_key, read_keys
from aipolicy.identity.signatures.keys import MAX_KEYS, DirectoryError
from tests.identity.signatures.signing import EXAMPLE, EXAMPLE_JWK, NOW, Signer, base64url, jwk_of

RSA = jwk_of(rsa.generate_private_key(65537, 2048).public_key())
EC = jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key())


def usable(*entries: Any, well_known: bool = True) -> int:
    return len(read_keys(json.dumps({"keys": entries}).encode(), well_known=well_known))


def test_the_thumbprints_of_the_examples_are_those_of_the_rfcs() -> None:
    assert read_key(EXAMPLE_JWK).thumbprint == EXAMPLE
    # RFC 7638 §3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4"
        "n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0"
        "zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-c"
        "sFCur-kEgU8awapJzKnqDKgw"
    )
    key = read_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS512", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_id_at_the_well_known_uri_is_the_thumbprint_or_left_out() -> None:
    assert usable(EXAMPLE_JWK) == 1
    assert usable(EXAMPLE_JWK | {"kid": EXAMPLE}) == 1
    assert usable(EXAMPLE_JWK | {"kid": "2026-11"}) == 0
    assert usable(EXAMPLE_JWK | {"kid": "2026-11"}, well_known=False) == 1


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"kty": "OKP"},
        {"kty": ["OKP"]},
        EXAMPLE_JWK | {"crv": "X25519"},
        EXAMPLE_JWK | {"x": "AA"},
        EXAMPLE_JWK | {"x": EXAMPLE_JWK["x"] + "="},
        EXAMPLE_JWK | {"x": EXAMPLE_JWK["x"][:-1] + "t"},  # the same bytes, spelled otherwise
        EXAMPLE_JWK | {"x": 1},
        EXAMPLE_JWK | {"x": "é" * 43},
        EXAMPLE_JWK | {"d": "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"},
        EXAMPLE_JWK | {"use": "enc"},
        EXAMPLE_JWK | {"key_ops": ["sign"]},
        EXAMPLE_JWK | {"key_ops": 1},
        EXAMPLE_JWK | {"alg": "ES256"},
        EXAMPLE_JWK | {"alg": ["EdDSA"]},
        EXAMPLE_JWK | {"exp": "2026"},
        EXAMPLE_JWK | {"exp": True},
        EXAMPLE_JWK | {"nbf": 1e300},
        {"kty": "oct", "k": "AAAA"},
        RSA | {"alg": "RS256"},
        RSA | {"n": base64url((1 << 2000) + 1)},
        RSA | {"n": base64url((1 << 9000) + 1)},
        RSA | {"e": base64url((1 << 40) + 1)},
        RSA | {"e": base64url(1)},
        RSA | {"e": "AAAB"},
        EC | {"crv": "P-521"},
        EC | {"crv": "P-384"},
        EC | {"y": EC["x"]},  # not on the curve
    ],
    ids=lambda entry: type(entry).__name__,  # the keys differ from run to run
)
def test_an_unusable_key_is_left_out(entry: Any) -> None:
    assert usable(entry, EXAMPLE_JWK) <= 1 or json.dumps(entry) == json.dumps(EXAMPLE_JWK)
    with pytest.raises(ValueError, match=r".+"):
        read_key(entry)


@pytest.mark.parametrize("entry", [RSA, EC, RSA | {"alg": "PS512"}, EC | {"alg": "ES256", "use": "sig"}])
def test_keys_of_each_kind_are_read(entry: dict[str, str]) -> None:
    assert usable(entry) == 1


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_key_has_a_validity_in_seconds_or_milliseconds(unit: int) -> None:
    key = read_key(EXAMPLE_JWK | {"nbf": int(NOW) * unit, "exp": (int(NOW) + 60) * unit})
    assert key.problem_at(NOW - 1) == "is not in use yet"
    assert key.problem_at(NOW) is None
    assert key.problem_at(NOW + 59.9) is None
    assert key.problem_at(NOW + 60) == "has expired"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is not JSON"),
        (b"<html>", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", 'it has no "keys"'),
        (b'{"keys": {}}', 'it has no "keys"'),
        (
            json.dumps({"keys": [EXAMPLE_JWK] * (MAX_KEYS + 1)}).encode(),
            "it has 65 keys: at most 64 are read",
        ),
    ],
)
def test_an_invalid_directory_has_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(DirectoryError, match=reason):
        read_keys(body, well_known=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RSA, *EC, "use"]), inner),
    max_leaves=8,
)


@given(
    JSON, st.sampled_from([EXAMPLE_JWK, RSA, EC]), st.sampled_from(["x", "y", "n", "e", "kid", "exp", "alg"])
)
def test_any_directory_is_handled(value: Any, entry: dict[str, str], name: str) -> None:
    usable(value, {name: value}, entry | {name: value})


def test_a_directory_of_the_signer_is_read() -> None:
    signer = Signer()
    assert list(read_keys(signer.directory, well_known=True)) == [signer.keyid]
