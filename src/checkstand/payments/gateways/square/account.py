"""The seller's account at Square: what storefronts may know of it, what is wrong with its keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from checkstand.payments.gateway import Description


@dataclass(frozen=True, slots=True)
class Account:
    """`environment`: sandbox or live."""

    environment: str
    access_token: str = field(repr=False)
    application_id: str
    location_id: str

    def storefront(self) -> dict[str, str]:
        """What the Web Payments SDK is started with; `environment` is spelt as Square does."""
        return {
            "application_id": self.application_id,
            "location_id": self.location_id,
            "environment": "production" if self.environment == "live" else "sandbox",
        }

    def description(self, title: str, text: str) -> Description:
        """How shoppers and storefronts see it."""
        return Description(
            id="square",
            title=title or "Card",
            description=text or "Pay by card; Square handles your card's details.",
            method_title="Square",
            method_description="Cards and wallets by Square's Web Payments SDK.",
            supports=("products", "refunds"),
            has_fields=True,
            test_mode=self.environment == "sandbox",
            is_connected=bool(self.access_token and self.application_id and self.location_id),
            storefront=self.storefront(),
        )

    def complaints(self) -> list[str]:
        """What is missing, of the wrong kind, or of the other environment; no value is repeated."""
        found = [
            f"{name} is not set; copy it from Square's developer console."
            for name, value in (
                ("access_token", self.access_token),
                ("application_id", self.application_id),
                ("location_id", self.location_id),
            )
            if not value
        ]
        return found + self._of_the_wrong_kind() + self._of_the_other_environment()

    def _of_the_wrong_kind(self) -> list[str]:
        found = []
        if "sq0csp-" in self.access_token or "sq0csb-" in self.access_token:
            found.append("access_token is an application secret; use the access token.")
        elif "sq0id" in self.access_token:
            found.append("access_token is an application id; use the access token.")
        if self.application_id.startswith(("EAAA", "sq0atp-", "sandbox-sq0atb-")) or any(
            kind in self.application_id for kind in ("sq0csp-", "sq0csb-")
        ):
            found.append(
                "application_id is a secret, and storefronts are shown it; use "
                "the application id (sq0idp-… or sandbox-sq0idb-…), and replace that secret."
            )
        return found

    def _of_the_other_environment(self) -> list[str]:
        found = []
        for name, value in (
            ("application_id", self.application_id),
            ("access_token", self.access_token),
        ):
            of_sandbox = value.startswith("sandbox-")
            of_live = value.startswith(("sq0idp-", "sq0atp-"))
            if self.environment == "live" and of_sandbox:
                found.append(
                    f'{name} is of the sandbox, but environment is "live"; use the production one.'
                )
            if self.environment == "sandbox" and of_live:
                found.append(
                    f'{name} is of production, but environment is "sandbox"; use '
                    "the sandbox one, or go live."
                )
        return found
