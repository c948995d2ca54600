"""JSON Web Tokens as CoCart makes them (contract accounts.md 8): signing and reading, no state.

A key is tied to one algorithm, and a token is read with the key that it names and nothing else:
so neither `alg: none` nor a public key used as an HMAC secret gets anywhere. Keys are exchanged
without anybody being signed out: make the new one known everywhere (`also_accepted`), then sign
with it, and drop the old one when its last token has expired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checkstand.errors import ConfigurationError, TokenRefused

SYMMETRIC = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes that a secret needs for each (RFC 7518, 3.2)."""
ALGORITHMS = (
    *SYMMETRIC, "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
)  # fmt: skip
LONGEST_TOKEN = 8192
LONGEST_DEVICE = 255
"""Characters of a User-Agent that count."""
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """`signs` is None for a key that tokens are only read with."""

    id: str
    algorithm: str
    signs: Any
    verifies: Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: client address and User-Agent, "" when unknown."""

    ip: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says that was signed here."""

    pat: str
    account_id: int
    expires_at: float
    """Unix seconds."""
    origin: Origin


@dataclass(frozen=True, slots=True)
class Sealed:
    """The name of something that was sealed here, and until when (Unix seconds)."""

    name: str
    expires_at: float


def load_key(algorithm: str, secret: str, *, signing: bool) -> Key:
    """The key of the settings: a secret text, or a PEM (private, or public for reading only);
    ConfigurationError when it is unfit for the algorithm."""
    if algorithm in SYMMETRIC:
        if "-----BEGIN " in secret:
            raise ConfigurationError(
                f"jwt: this key is a PEM, and {algorithm} signs with a secret text; for an RSA key "
                "use RS256, for an elliptic curve ES256: set jwt.algorithm"
            )
        if len(secret.encode()) < SYMMETRIC[algorithm]:
            raise ConfigurationError(
                f"jwt: a secret for {algorithm} needs {SYMMETRIC[algorithm]} characters or more; "
                "make one with: openssl rand -hex 32"
            )
        return Key(_fingerprint(algorithm, secret.encode()), algorithm, secret, secret)
    # Not imported at start: most shops sign with a secret.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    pem = secret.encode()
    try:
        private: Any = None
        if b"PRIVATE KEY" in pem:
            private = serialization.load_pem_private_key(pem, None)
        public: Any = private.public_key() if private else serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"jwt: the key for {algorithm} cannot be read; it must be a PEM without a passphrase"
        ) from None
    _check_fit(algorithm, public)
    if signing and private is None:
        raise ConfigurationError("jwt.secret must be a private key: tokens are signed with it")
    spelt = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Key(_fingerprint(algorithm, spelt), algorithm, private, public)


def _check_fit(algorithm: str, public: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if algorithm in _CURVES:
        curve = _CURVES[algorithm]
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != curve:
            raise ConfigurationError(f"jwt: {algorithm} needs a key on the curve {curve}")
    elif not isinstance(public, rsa.RSAPublicKey) or public.key_size < _LEAST_RSA_BITS:
        raise ConfigurationError(
            f"jwt: {algorithm} needs an RSA key of at least {_LEAST_RSA_BITS} bits"
        )


def _fingerprint(algorithm: str, material: bytes) -> str:
    return hashlib.sha256(b"kid\n" + algorithm.encode() + b"\n" + material).hexdigest()[:16]


class Signer:
    """Signs with the first key; reads what any of them signed."""

    def __init__(self, keys: Sequence[Key], issuer: str, leeway: timedelta) -> None:
        # Here and not at start: it loads cryptography, which commands have no use for.
        import jwt

        self._jwt = jwt
        self._current = keys[0]
        self._keys = {key.id: key for key in keys}
        self._issuer = issuer
        self._leeway = leeway.total_seconds()

    def sign(
        self,
        pat: str,
        account_id: int,
        username: str,
        origin: Origin,
        now: datetime,
        life: timedelta,
    ) -> str:
        """The token of a session."""
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(life.total_seconds()),
            "data": {
                "user": {
                    "id": account_id,
                    "username": username,
                    "ip": origin.ip,
                    "device": origin.device[:LONGEST_DEVICE],
                    "pat": pat,
                }
            },
        }
        key = self._current
        return self._jwt.encode(claims, key.signs, key.algorithm, headers={"kid": key.id})

    def read(self, token: str, now: datetime) -> Claims:
        """What it says; TokenRefused when it was not signed here, or has expired. `nbf` and `iat`
        are not looked at: servers' clocks differ, and only we sign."""
        said = self._said(token, ["iss", "exp"])
        try:
            user = said["data"]["user"]
            claims = Claims(
                str(user["pat"]),
                int(user["id"]),
                float(said["exp"]),
                Origin(str(user["ip"]), str(user["device"])),
            )
        except (KeyError, TypeError, ValueError):
            raise TokenRefused from None
        self.check_time(claims, now)
        return claims

    def seal(self, purpose: str, name: str, expires_at: datetime) -> str:
        """A signed name of something, for one purpose. It signs nobody in: `read` refuses it, and
        `unseal` what `sign` made."""
        claims = {
            "iss": self._issuer,
            "aud": purpose,
            "exp": int(expires_at.timestamp()),
            "jti": name,
        }
        key = self._current
        return self._jwt.encode(claims, key.signs, key.algorithm, headers={"kid": key.id})

    def unseal(self, purpose: str, token: str) -> Sealed:
        """What was sealed for this purpose, also when its time is over; TokenRefused when it was
        not sealed here."""
        said = self._said(token, ["iss", "aud", "exp", "jti"], audience=purpose)
        try:
            return Sealed(str(said["jti"]), float(said["exp"]))
        except (TypeError, ValueError):
            raise TokenRefused from None

    def _said(self, token: str, required: list[str], **more: Any) -> dict[str, Any]:
        """The claims of a token that was signed with one of the keys."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused
        try:
            head = self._jwt.get_unverified_header(token)
            key = self._keys.get(str(head.get("kid", "")))
            if key is None or head.get("alg") != key.algorithm:
                raise TokenRefused
            claims: dict[str, Any] = self._jwt.decode(
                token,
                key.verifies,
                algorithms=[key.algorithm],
                issuer=self._issuer,
                options={
                    "require": required,
                    "verify_exp": False,  # by our clock
                    "verify_nbf": False,
                    "verify_iat": False,
                },
                **more,
            )
        except (self._jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise TokenRefused from None
        return claims

    def check_time(self, claims: Claims, now: datetime) -> None:
        """TokenRefused once the token has expired, by more than the leeway."""
        if now.timestamp() >= claims.expires_at + self._leeway:
            raise TokenRefused("The token has expired.")
