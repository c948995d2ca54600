"""The part of the wiring that is about people: tokens, what accounts must be like, and mail."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from checkstand.access import tokens
from checkstand.access.sessions import SessionRules
from checkstand.accounts.rules import RESERVED, AccountRules
from checkstand.mail.post import Carrier, ConsoleCarrier, SmtpCarrier
from checkstand.settings import Settings


def signer_of(settings: Settings, base_url: str) -> tokens.Signer | None:
    """What signs tokens; None while no secret is set. ConfigurationError for an unfit key."""
    chosen = settings.jwt
    if not chosen.secret:
        return None
    keys = [tokens.load_key(chosen.algorithm, chosen.secret, signing=True)]
    keys += [
        tokens.load_key(other.algorithm, other.secret, signing=False)
        for other in chosen.also_accepted
    ]
    return tokens.Signer(keys, base_url, timedelta(seconds=chosen.leeway))


def session_rules(settings: Settings) -> SessionRules:
    """How long tokens live, and what they are bound to."""
    chosen = settings.jwt
    return SessionRules(
        token_life=timedelta(hours=chosen.token_hours),
        refresh_life=timedelta(hours=chosen.refresh_hours),
        most=chosen.per_account,
        bind_ip=chosen.bind_ip,
        bind_device=chosen.bind_device,
    )


def account_rules(settings: Settings, base_url: str) -> AccountRules:
    """What the shop asks of accounts."""
    chosen = settings.accounts
    base = {"base_url": base_url}
    return AccountRules(
        shop_name=settings.store.name,
        registration=chosen.registration,
        generate_username=chosen.generate_username,
        generate_password=chosen.generate_password,
        least_password=chosen.min_password,
        reserved=frozenset(RESERVED) | {name.lower() for name in chosen.reserved_names},
        verify_email=chosen.verify_email,
        link_life=timedelta(hours=chosen.link_hours),
        reset_url=chosen.reset_url.format(**base, key="{key}"),
        verify_url=chosen.verify_url.format(**base, key="{key}", user_id="{user_id}"),
    )


def carrier_of(settings: Settings) -> Carrier | None:
    """How mail leaves; None when it does not."""
    mail = settings.mail
    match mail.backend:
        case "none":
            return None
        case "console":
            return ConsoleCarrier()
        case "smtp":
            return SmtpCarrier(
                host=mail.host,
                port=mail.port,
                sender=mail.sender,
                username=mail.username,
                password=mail.password,
                security=mail.security,
                timeout=mail.timeout,
            )
        case _:
            assert_never(mail.backend)
