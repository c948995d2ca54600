"""The sections about accounts: registration, tokens and mail."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from checkstand.settings.sections import Reference, Section

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
    "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
]  # fmt: skip


class AccountSettings(Section):
    registration: bool = Field(
        True, description="Whether shoppers can make accounts, also while they order."
    )
    generate_username: bool = Field(
        True, description="Make a user name of the e-mail address when none is sent."
    )
    generate_password: bool = Field(
        False, description="Let who sends no password choose one by a mailed link."
    )
    min_password: int = Field(8, ge=8, le=64, description="Fewest characters of a password.")
    weak_passwords: tuple[str, ...] = Field(
        (), description="Words that no password may be made of, besides those that everybody tries."
    )
    verify_email: bool = Field(
        True, description="A new e-mail address counts once a link mailed to it was followed."
    )
    link_hours: int = Field(24, ge=1, le=168, description="Hours that a mailed link works.")
    reset_url: str = Field(
        "{base_url}/my-account/reset-password/?key={key}",
        description="Where the link for a new password leads.",
    )
    verify_url: str = Field(
        "{base_url}/wp-json/cocart/v2/my-account/verify-email?key={key}&user_id={user_id}",
        description="Where the link that confirms an e-mail address leads.",
    )
    orders_url: str = Field(
        "{base_url}/wp-json/cocart/v2/my-account/verify-order-email?key={key}&user_id={user_id}",
        description="Where the link leads that makes orders of before the account its own: to a "
        "page of the storefront that calls the route behind the default with the shopper's token.",
    )
    reserved_names: tuple[str, ...] = Field(
        (), description="User names that nobody can register, besides admin, root and the like."
    )

    @model_validator(mode="after")
    def _links(self) -> AccountSettings:
        for name, url, parts in (
            ("reset_url", self.reset_url, {"key": ""}),
            ("verify_url", self.verify_url, {"key": "", "user_id": 1}),
            ("orders_url", self.orders_url, {"key": "", "user_id": 1}),
        ):
            try:
                url.format(base_url="", **parts)
            except (KeyError, ValueError, IndexError):
                known = ", ".join(f"{{{part}}}" for part in ("base_url", *parts))
                raise ValueError(f"{name} may only use {known}") from None
            if "{key}" not in url:
                raise ValueError(f"{name} must have {{key}} in it; without it no link works")
        return self


class JwtKeySettings(Section):
    algorithm: Algorithm = Field("HS256", description="What it signs with.")
    secret: Reference = Field(description="A secret text, or a PEM, public or private.")


class JwtSettings(Section):
    algorithm: Algorithm = Field("HS256", description="What tokens are signed with.")
    secret: Reference = Field(
        "",
        description="HS256: a secret of 32 characters or more; others: a private key as PEM. By "
        "`env:NAME` or `file:PATH`. Empty: no tokens.",
    )
    also_accepted: tuple[JwtKeySettings, ...] = Field(
        (), description="Further keys that tokens are read with, while keys are exchanged."
    )
    token_hours: int = Field(240, ge=1, le=8760, description="Hours that a token works.")
    refresh_hours: int = Field(
        720, ge=1, le=8760, description="Hours that a refresh token can be used."
    )
    per_account: int = Field(
        5, ge=1, le=100, description="Tokens of one account; one more ends the oldest."
    )
    bind_ip: bool = Field(True, description="A token works from one client address only.")
    bind_device: bool = Field(True, description="A token works with one User-Agent only.")
    leeway: float = Field(
        10, ge=0, le=300, description="Seconds by which servers' clocks may differ."
    )

    @model_validator(mode="after")
    def _lives(self) -> JwtSettings:
        if self.token_hours > self.refresh_hours:
            raise ValueError(
                "token_hours is larger than refresh_hours; lower it, or raise refresh_hours"
            )
        return self


class MailSettings(Section):
    backend: Literal["none", "console", "smtp"] = Field(
        "none", description="How mail leaves: not at all, to the console (demo), or by SMTP."
    )
    sender: str = Field("", description="From: an address, or `Name <address>`.")
    host: str = Field("", description="The mail server.")
    port: int = Field(587, ge=1, le=65535, description="Its port: 587 for starttls, 465 for tls.")
    username: str = Field("", description="To sign in to it; empty: without.")
    password: Reference = Field("", description="By `env:NAME` or `file:PATH`.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is kept private."
    )
    timeout: float = Field(20, gt=0, le=300, description="Seconds that it gets to answer.")

    @model_validator(mode="after")
    def _complete(self) -> MailSettings:
        if self.backend == "smtp" and not (self.host and "@" in self.sender):
            raise ValueError('smtp needs host and sender; set both, or backend = "none"')
        if "\n" in self.sender or "\r" in self.sender:
            raise ValueError("sender must be one line")
        return self
