"""Tokens: what is signed, and everything that must not be accepted."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from checkstand.access.tokens import ALGORITHMS, Key, Origin, Signer, load_key
from checkstand.errors import ConfigurationError, TokenRefused

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIFE = timedelta(hours=1)
HERE = Origin("192.0.2.7", "Storefront/1.0")
SECRET = "s" * 64
ISSUER = "https://shop.example"


def pem(private: Any) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(private: Any) -> str:
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


RSA = rsa.generate_private_key(65537, 2048)
CURVES = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
}


def material(algorithm: str) -> str:
    if algorithm.startswith("HS"):
        return SECRET
    return pem(CURVES[algorithm]) if algorithm.startswith("ES") else pem(RSA)


def key(algorithm: str = "HS256", secret: str = "") -> Key:
    return load_key(algorithm, secret or material(algorithm), signing=True)


def signer(*keys: Key, leeway: int = 10) -> Signer:
    return Signer(keys or (key(),), ISSUER, timedelta(seconds=leeway))


def signed(by: Signer) -> str:
    return by.sign("pat_1", 7, "ines", HERE, NOW, LIFE)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_and_reads(algorithm: str) -> None:
    by = signer(key(algorithm))
    claims = by.read(signed(by), NOW)
    assert (claims.pat, claims.account_id, claims.origin) == ("pat_1", 7, HERE)
    assert claims.expires_at == (NOW + LIFE).timestamp()


def test_claims_are_those_of_the_contract() -> None:
    token = signed(signer())
    assert jwt.get_unverified_header(token)["typ"] == "JWT"
    said = jwt.decode(token, options={"verify_signature": False})
    issued = int(NOW.timestamp())
    assert said == {
        "iss": ISSUER,
        "iat": issued,
        "nbf": issued,
        "exp": issued + 3600,
        "data": {
            "user": {
                "id": 7,
                "username": "ines",
                "ip": HERE.ip,
                "device": HERE.device,
                "pat": "pat_1",
            }
        },
    }


def refused(by: Signer, token: str, now: datetime = NOW) -> None:
    with pytest.raises(TokenRefused):
        by.read(token, now)


def test_no_algorithm_is_not_accepted() -> None:
    head, claims, _ = signed(signer()).split(".")
    kid = jwt.get_unverified_header(signed(signer()))["kid"]
    for alg in ("none", "None", "NONE", ""):
        bare = part({"typ": "JWT", "alg": alg, "kid": kid})
        refused(signer(), f"{bare}.{claims}.")
        refused(signer(), f"{bare}.{claims}.e30")
    refused(signer(), f"{head}.{claims}.")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256"])
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """Key confusion: whoever knows the public key signs with it as an HMAC secret."""
    by = signer(key(algorithm))
    kid = jwt.get_unverified_header(signed(by))["kid"]
    private = RSA if algorithm != "ES256" else CURVES["ES256"]
    claims = jwt.decode(signed(by), options={"verify_signature": False})
    import hashlib
    import hmac

    head = part({"typ": "JWT", "alg": "HS256", "kid": kid})
    body = f"{head}.{part(claims)}"
    for secret in (public_pem(private), public_pem(private).strip()):
        mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()
        refused(by, f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


def test_one_algorithm_for_one_key() -> None:
    """The same RSA key under RS256 does not read what it signed as PS256, nor HS512 as HS256."""
    for ours, other in (("RS256", "PS256"), ("HS256", "HS512")):
        foreign = jwt.encode(
            jwt.decode(signed(signer()), options={"verify_signature": False}),
            RSA if other == "PS256" else SECRET,
            other,
            headers={"kid": key(ours).id},
        )
        refused(signer(key(ours)), foreign)


def test_other_peoples_tokens() -> None:
    by = signer()
    token = signed(by)
    head, claims, mac = token.split(".")
    said = jwt.decode(token, options={"verify_signature": False})
    said["data"]["user"]["id"] = 1
    refused(by, f"{head}.{part(said)}.{mac}")
    refused(by, f"{head}.{claims}.{mac[:-4]}AAAA")
    refused(by, signed(signer(key(secret="t" * 40))))
    refused(by, signed(Signer([key()], "https://other.example", timedelta(0))))
    refused(by, jwt.encode(said, SECRET, "HS256"))  # names no key
    refused(by, jwt.encode(said, SECRET, "HS256", headers={"kid": "../../dev/null"}))
    without = {k: v for k, v in said.items() if k != "exp"}
    refused(by, jwt.encode(without, SECRET, "HS256", headers={"kid": key().id}))
    refused(by, jwt.encode({**said, "data": "x"}, SECRET, "HS256", headers={"kid": key().id}))
    for rubbish in ("", ".", "..", "a.b.c", "é.é.é", "x" * 9000, f"{head}.{claims}"):
        refused(by, rubbish)


def test_clocks_may_differ_a_little() -> None:
    by = signer(leeway=10)
    token = signed(by)
    end = NOW + LIFE
    by.read(token, end - timedelta(seconds=1))
    by.read(token, end + timedelta(seconds=9))
    refused(by, token, end + timedelta(seconds=10))
    # Of a server whose clock is ahead: nbf and iat lie in our future.
    by.read(token, NOW - timedelta(minutes=2))
    refused(signer(leeway=0), token, end)


def test_keys_are_exchanged_with_an_overlap() -> None:
    """Old signs; both are known; new signs; the old one goes. Nobody is signed out before that."""
    old, new = key(), key("ES256")
    only_old = signer(old)
    before = signed(only_old)
    announced = signer(old, new)  # also_accepted: the new one
    switched = signer(new, old)
    after = signed(switched)
    for server in (only_old, announced, switched):
        server.read(before, NOW)
    for server in (announced, switched):
        server.read(after, NOW)
    refused(only_old, after)  # which is why it is announced first
    refused(signer(new), before)
    signer(new).read(after, NOW)


def test_a_public_key_is_enough_to_read() -> None:
    token = signed(signer(key("RS256")))
    reader = load_key("RS256", public_pem(RSA), signing=False)
    assert reader.signs is None
    signer(key(), reader).read(token, NOW)


@pytest.mark.parametrize(
    ("algorithm", "secret", "said"),
    [
        ("HS256", "short", "needs 32"),
        ("RS256", "not a pem", "cannot be read"),
        ("RS256", pem(rsa.generate_private_key(65537, 1024)), "2048 bits"),
        ("RS256", pem(CURVES["ES256"]), "RSA key"),
        ("ES256", pem(CURVES["ES384"]), "secp256r1"),
        ("ES256", pem(RSA), "secp256r1"),
        ("RS256", public_pem(RSA), "private key"),
    ],
)
def test_unfit_keys_are_refused_at_start(algorithm: str, secret: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_key(algorithm, secret, signing=True)
    assert secret not in str(caught.value)


# --- what is sealed ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_sealed_is_read_for_its_purpose_only(algorithm: str) -> None:
    by = signer(key(algorithm))
    token = by.seal("a purpose", "a name", NOW + LIFE)
    sealed = by.unseal("a purpose", token)
    assert (sealed.name, sealed.expires_at) == ("a name", (NOW + LIFE).timestamp())
    for purpose in ("another purpose", "", ISSUER):
        with pytest.raises(TokenRefused):
            by.unseal(purpose, token)


def test_what_is_sealed_is_no_session_and_a_session_is_not_sealed() -> None:
    by = signer()
    with pytest.raises(TokenRefused):
        by.read(by.seal("a purpose", "a name", NOW + LIFE), NOW)
    with pytest.raises(TokenRefused):
        by.unseal("a purpose", signed(by))


def test_nobody_else_seals() -> None:
    by, other = signer(), signer(key(secret="t" * 64))
    head, body, signature = by.seal("a purpose", "a name", NOW + LIFE).split(".")
    claims = {"iss": ISSUER, "aud": "a purpose", "exp": 1, "jti": "a name"}
    kid = jwt.get_unverified_header(f"{head}.{body}.{signature}")["kid"]
    for token in (
        other.seal("a purpose", "a name", NOW + LIFE),
        f"{head}.{body}.",
        f"{part({'alg': 'none', 'kid': kid})}.{body}.",
        f"{head}.{part({**claims, 'jti': 'another name'})}.{signature}",
        jwt.encode({k: v for k, v in claims.items() if k != "aud"}, SECRET, "HS256"),
        "x" * 9000,
    ):
        with pytest.raises(TokenRefused):
            by.unseal("a purpose", token)


def test_what_an_older_key_sealed_is_read() -> None:
    older, newer = key(), key(secret="t" * 64)
    token = signer(older).seal("a purpose", "a name", NOW + LIFE)
    assert signer(newer, older).unseal("a purpose", token).name == "a name"
