"""What a shop asks of accounts, and the names that they may have."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from checkstand.access import passwords

LONGEST_NAME = 60
LONGEST_EMAIL = 254
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}", re.ASCII | re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
RESERVED = (
    "admin", "administrator", "root", "support", "help", "info", "sales", "billing", "security",
    "staff", "shop", "store", "system", "webmaster", "postmaster", "hostmaster", "abuse", "noreply",
    "no-reply", "moderator", "manager", "shop_manager", "owner", "test", "guest", "anonymous",
    "customer", "null", "undefined", "checkstand",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountRules:
    shop_name: str
    registration: bool
    """Whether shoppers can make accounts, by registering or while they order."""
    generate_username: bool
    generate_password: bool
    least_password: int
    """Characters."""
    reserved: frozenset[str]
    weak_passwords: frozenset[str]
    """Those of the shop's own, in lower case."""
    verify_email: bool
    """Whether a new e-mail address counts only once a link sent to it was followed."""
    link_life: timedelta
    reset_url: str
    """With {key}: where the link of a lost password leads."""
    verify_url: str
    """With {key} and {user_id}."""
    orders_url: str
    """With the same: where the link for orders of before the account leads."""

    def weaknesses(self, password: str, *personal: str) -> list[str]:
        """What is wrong with a chosen password, each as the end of "The password …"."""
        return passwords.weaknesses(
            password, least=self.least_password, personal=personal, refused=self.weak_passwords
        )


def said(weaknesses: list[str]) -> str:
    """Everything that is wrong with a password, in one sentence."""
    return f"The password {'; it '.join(weaknesses)}."


def is_name(name: str) -> bool:
    """Whether it can be a user name: nothing that could be an e-mail address, a phone number or a
    consumer key, which one can sign in with as well."""
    return (
        _NAME.fullmatch(name) is not None
        and any(char.isalpha() for char in name)
        and not name.lower().startswith("ck_")
    )


def name_from(email: str, attempt: int) -> str:
    """A user name made of an e-mail address; with more behind it from the second attempt on."""
    local = unicodedata.normalize("NFKD", email.partition("@")[0]).lower()
    plain = _NOT_IN_NAMES.sub("", local).strip("._-")[: LONGEST_NAME - 10]
    if not is_name(plain):
        plain = f"customer{plain}"[: LONGEST_NAME - 10]
        attempt = max(attempt, 1)
    return f"{plain}{secrets.token_hex(attempt + 1)[: attempt * 2 + 1]}" if attempt else plain
