"""The part of the wiring that is about people: tokens, what accounts must be like, and mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from checkstand.access import tokens
from checkstand.access.credentials import Credentials
from checkstand.access.sessions import SessionRules, Sessions
from checkstand.accounts.correspondence import Correspondence
from checkstand.accounts.earlier_orders import EarlierOrders
from checkstand.accounts.enrolling import Enrolling
from checkstand.accounts.my_account import MyAccount
from checkstand.accounts.registration import Registration
from checkstand.accounts.rules import RESERVED, AccountRules
from checkstand.kit.clock import Clock
from checkstand.mail.post import Carrier, ConsoleCarrier, Post, SmtpCarrier
from checkstand.orders.history import History
from checkstand.settings import Settings
from checkstand.storage.database import Database


@dataclass(frozen=True, slots=True)
class People:
    """Everything of a shop that is about people."""

    credentials: Credentials
    sessions: Sessions
    enrolling: Enrolling
    registration: Registration
    my_account: MyAccount
    earlier_orders: EarlierOrders
    letters: Correspondence
    history: History

    def forget(self) -> None:
        """Drops who this process knows: a key or an account has changed."""
        self.credentials.forget()
        self.sessions.forget()


def people_of(
    settings: Settings,
    base_url: str,
    database: Database,
    clock: Clock,
    sell_to: frozenset[str] | None,
    post: Post,
    credentials: Credentials,
) -> People:
    """The parts about people, put together."""
    sessions = Sessions(database, clock, signer_of(settings, base_url), session_rules(settings))
    rules = account_rules(settings, base_url)
    history = History(database, clock.now)
    passwords = credentials.passwords
    letters = Correspondence(database, post, rules, clock.now)

    def forget() -> None:
        credentials.forget()
        sessions.forget()

    return People(
        credentials=credentials,
        sessions=sessions,
        enrolling=Enrolling(rules, passwords, letters),
        registration=Registration(database, passwords, letters, rules, clock.now, forget),
        my_account=MyAccount(
            database=database,
            passwords=passwords,
            letters=letters,
            rules=rules,
            history=history,
            sell_to=sell_to,
            strict_phone=settings.checkout.strict_phone,
            now=clock.now,
            forget=forget,
        ),
        earlier_orders=EarlierOrders(database, letters, clock.now),
        letters=letters,
        history=history,
    )


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
        weak_passwords=frozenset(word.casefold() for word in chosen.weak_passwords),
        verify_email=chosen.verify_email,
        link_life=timedelta(hours=chosen.link_hours),
        reset_url=chosen.reset_url.format(**base, key="{key}"),
        verify_url=chosen.verify_url.format(**base, key="{key}", user_id="{user_id}"),
        orders_url=chosen.orders_url.format(**base, key="{key}", user_id="{user_id}"),
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
