"""What is written to the owners of accounts."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from checkstand.access.principal import Account
from checkstand.accounts.rules import AccountRules
from checkstand.mail.post import Letter


class Occasion(StrEnum):
    """What a letter is written for."""

    LOST_PASSWORD = "lost_password"  # noqa: S105 - the name of an occasion
    WELCOME = "welcome"
    NEW_EMAIL = "new_email"
    EARLIER_ORDERS = "earlier_orders"
    EMAIL_CHANGES = "email_changes"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an occasion


def about(occasion: Occasion, rules: AccountRules, to: str, account: Account, key: str) -> Letter:
    """The letter for an occasion; `key` is "" where none belongs into it."""
    match occasion:
        case Occasion.LOST_PASSWORD:
            return lost_password(rules, to, account.username, key)
        case Occasion.WELCOME:
            return welcome(rules, to, account.username, key)
        case Occasion.NEW_EMAIL:
            return verify_email(rules, to, account.id, key)
        case Occasion.EARLIER_ORDERS:
            return earlier_orders(rules, to, account.id, key)
        case Occasion.EMAIL_CHANGES:
            return email_changes(rules, to)
        case Occasion.PASSWORD_CHANGED:
            return password_changed(rules, to)
        case _:
            assert_never(occasion)


def lost_password(rules: AccountRules, to: str, username: str, key: str) -> Letter:
    return Letter(
        to,
        f"{rules.shop_name}: a new password",
        f"Hello,\n\nsomebody, hopefully you, wants to set a new password for the account"
        f" “{username}” of {rules.shop_name}. Follow this link to choose it:\n\n"
        f"{rules.reset_url.format(key=key)}\n\n"
        f"The link works once, within {_hours(rules.link_life)}. If it was not you, do nothing:"
        " your password stays as it is.\n",
    )


def welcome(rules: AccountRules, to: str, username: str, key: str) -> Letter:
    """For an account whose password nobody knows yet."""
    return Letter(
        to,
        f"{rules.shop_name}: your account",
        f"Hello,\n\nyour account “{username}” of {rules.shop_name} is ready. Choose its password"
        f" here, within {_hours(rules.link_life)}:\n\n{rules.reset_url.format(key=key)}\n",
    )


def verify_email(rules: AccountRules, to: str, user_id: int, key: str) -> Letter:
    link = rules.verify_url.format(key=key, user_id=user_id)
    return Letter(
        to,
        f"{rules.shop_name}: confirm your new e-mail address",
        f"Hello,\n\nthis address was given for an account of {rules.shop_name}. It counts once you"
        f" follow this link, within {_hours(rules.link_life)}:\n\n{link}\n\n"
        "If you know nothing of it, do nothing.\n",
    )


def earlier_orders(rules: AccountRules, to: str, user_id: int, key: str) -> Letter:
    link = rules.orders_url.format(key=key, user_id=user_id)
    return Letter(
        to,
        f"{rules.shop_name}: your earlier orders",
        f"Hello,\n\norders that were made at {rules.shop_name} with this address and without an"
        " account become those of your account once you follow this link while you are signed"
        f" in, within {_hours(rules.link_life)}:\n\n{link}\n\n"
        "If you know nothing of it, do nothing.\n",
    )


def email_changes(rules: AccountRules, to: str) -> Letter:
    """To the old address: whoever lost control of the account learns of it."""
    return Letter(
        to,
        f"{rules.shop_name}: your e-mail address is about to change",
        f"Hello,\n\nanother e-mail address was given for your account of {rules.shop_name}. If it"
        " was not you, set a new password at once and tell us.\n",
    )


def password_changed(rules: AccountRules, to: str) -> Letter:
    return Letter(
        to,
        f"{rules.shop_name}: your password was changed",
        f"Hello,\n\nthe password of your account of {rules.shop_name} was changed, and everybody"
        " who was signed in is signed out. If it was not you, ask for a new password at once.\n",
    )


def _hours(life: timedelta) -> str:
    hours = round(life.total_seconds() / 3600)
    return "1 hour" if hours == 1 else f"{hours} hours"
