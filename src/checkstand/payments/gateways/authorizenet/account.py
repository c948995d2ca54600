"""The merchant's account: what storefronts may know of it, and what is wrong with its keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from checkstand.payments.gateway import Description

_SIGNATURE_KEY = re.compile(r"[0-9A-Fa-f]{128}")


@dataclass(frozen=True, slots=True)
class Account:
    """`environment`: sandbox or live. Keys of the two look alike, so mixing them up shows only
    when Authorize.Net is asked (E00007)."""

    environment: str
    api_login_id: str
    transaction_key: str = field(repr=False)
    public_client_key: str
    signature_key: str = field(repr=False)

    def storefront(self) -> dict[str, str]:
        """What Accept.js is called with."""
        return {
            "public_client_key": self.public_client_key,
            "api_login_id": self.api_login_id,
            "environment": "production" if self.environment == "live" else "sandbox",
        }

    def description(self, title: str, text: str) -> Description:
        return Description(
            id="authorizenet",
            title=title or "Card",
            description=text or "Pay by card; Authorize.Net handles your card's details.",
            method_title="Authorize.Net",
            method_description="Cards by Accept.js.",
            supports=("products", "refunds"),
            has_fields=True,
            test_mode=self.environment == "sandbox",
            is_connected=bool(
                self.api_login_id and self.transaction_key and self.public_client_key
            ),
            requires_billing_address=True,
            storefront=self.storefront(),
        )

    def complaints(self) -> list[str]:
        """What is missing or of the wrong kind; no value is repeated."""
        found = [
            f"{name} is not set; make it in Authorize.Net's Merchant Interface."
            for name, value in (
                ("api_login_id", self.api_login_id),
                ("transaction_key", self.transaction_key),
                ("public_client_key", self.public_client_key),
            )
            if not value
        ]
        if _SIGNATURE_KEY.fullmatch(self.transaction_key):
            found.append("transaction_key is a signature key; use the 16 characters of the other.")
        elif self.transaction_key and len(self.transaction_key) > 16:
            found.append("transaction_key has more than 16 characters; copy it again.")
        if self.transaction_key and self.transaction_key in (
            self.public_client_key,
            self.api_login_id,
        ):
            found.append(
                "transaction_key is what storefronts are shown as public_client_key or "
                "api_login_id; use the right one of each, and make a new transaction key."
            )
        if _SIGNATURE_KEY.fullmatch(self.public_client_key):
            found.append(
                "public_client_key is a signature key, and storefronts are shown it; use the "
                "public client key, and make a new signature key."
            )
        if self.signature_key and not _SIGNATURE_KEY.fullmatch(self.signature_key):
            found.append("signature_key is not 128 hexadecimal characters; copy it again.")
        return found
