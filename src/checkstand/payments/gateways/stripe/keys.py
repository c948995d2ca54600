"""Stripe's keys: which kind, which mode, and what is wrong with a set of them."""

from __future__ import annotations

from dataclasses import dataclass, field

_WHERE = "https://dashboard.stripe.com/apikeys"


@dataclass(frozen=True, slots=True)
class Keys:
    secret: str = field(repr=False)
    publishable: str
    webhook: str = field(default="", repr=False)

    @property
    def complete(self) -> bool:
        return bool(self.secret and self.publishable)

    @property
    def shown(self) -> bool:
        """Whether the publishable key is one: anything else is never handed out."""
        return self.publishable.startswith("pk_")

    @property
    def test(self) -> bool:
        return _mode(self.secret) == "test"


def complaints(keys: Keys, api_base: str) -> list[str]:
    """What is wrong with this section of the settings, each with its fix. No key is repeated."""
    found = [*_secret(keys.secret), *_publishable(keys.publishable)]
    modes = {_mode(keys.secret), _mode(keys.publishable)} - {""}
    if len(modes) == 2:
        found.append(
            "secret_key and publishable_key belong to different modes, one to "
            "test and one to live. Take both from the same mode of the dashboard."
        )
    if keys.webhook and not keys.webhook.startswith("whsec_"):
        found.append(
            "webhook_secret must start with whsec_: it is the signing secret that "
            "the dashboard shows with the webhook endpoint, not an API key."
        )
    if api_base and _mode(keys.secret) == "live":
        found.append(
            "api_base would send a live key to another address than Stripe's. "
            "Leave it out, or use test keys."
        )
    if api_base and not api_base.startswith(("http://", "https://")):
        found.append("api_base must be an address that starts with http(s)://.")
    return found


def _secret(key: str) -> list[str]:
    if not key:
        return [
            f"secret_key is not set. Copy sk_… from {_WHERE} into the environment "
            "and refer to it: env:STRIPE_SECRET_KEY."
        ]
    if key.startswith("pk_"):
        return [
            "secret_key holds a publishable key (pk_…), which cannot charge. It "
            f"must be sk_… or rk_… from {_WHERE}."
        ]
    if not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
        return [
            "secret_key must start with sk_test_, sk_live_, rk_test_ or rk_live_. "
            f"Copy it again from {_WHERE}."
        ]
    return []


def _publishable(key: str) -> list[str]:
    if not key:
        return [f"publishable_key is not set. Copy pk_… from {_WHERE}."]
    if key.startswith(("sk_", "rk_")):
        return [
            "publishable_key holds a secret key, and would be handed to every "
            f"browser. It must be pk_… from {_WHERE}. Roll the secret key if it was ever served."
        ]
    if not key.startswith(("pk_test_", "pk_live_")):
        return [
            f"publishable_key must start with pk_test_ or pk_live_. Copy it again from {_WHERE}."
        ]
    return []


def _mode(key: str) -> str:
    parts = key.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[1] in ("test", "live") else ""
