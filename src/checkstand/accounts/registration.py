"""Accounts that shoppers make themselves, and lost passwords."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from checkstand.access import account_store
from checkstand.access.account_store import Person
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Role
from checkstand.accounts import mailed_keys
from checkstand.accounts.correspondence import Correspondence
from checkstand.accounts.letters import Occasion
from checkstand.accounts.rules import LONGEST_EMAIL, AccountRules, is_name, name_from, said
from checkstand.customers.contacts import is_email
from checkstand.errors import (
    KeyInvalidOrExpired,
    MailNotOffered,
    PasswordTooWeak,
    RegistrationClosed,
    RegistrationEmailInvalid,
    RegistrationEmailTaken,
    RegistrationPasswordMissing,
    RegistrationPasswordWeak,
    UsernameInvalid,
    UsernameReserved,
    UsernameTaken,
)
from checkstand.storage.database import Connection, Database

_TRIES = 5
ONE_LETTER_IN = timedelta(seconds=60)
"""How soon a letter of the same kind is written to the same account again."""


@dataclass(frozen=True, slots=True)
class Registered:
    account_id: int
    username: str
    mailed: bool
    """The password is to be chosen by a link that was mailed."""


@dataclass(frozen=True, slots=True)
class Registration:
    database: Database
    passwords: Passwords
    letters: Correspondence
    rules: AccountRules
    now: Callable[[], datetime]
    forget: Callable[[], None]
    """Makes this process forget who it knows: a password has changed."""

    async def register(self, email: str, username: str, password: str) -> Registered:
        """A new customer. Nobody is signed in by it, and no cart moves. "" for a name or password
        that the shop is to make; the password then is chosen by a mailed link."""
        rules = self.rules
        if not rules.registration:
            raise RegistrationClosed
        email = email.strip()
        if len(email) > LONGEST_EMAIL or not is_email(email):
            raise RegistrationEmailInvalid
        username = self._checked_name(username.strip())
        by_link = self._by_link(password)
        if not by_link and (weak := rules.weaknesses(password, username, email)):
            raise RegistrationPasswordWeak(said(weak))
        hashed = await self.passwords.hash(secrets.token_hex(32) if by_link else password)
        async with self.database.transaction() as connection:
            account_id, username = await self._add(connection, email, username, hashed)
            if by_link:
                stored = await account_store.by_id(connection, account_id)
                assert stored is not None, "it was just added"
                await self.letters.write(connection, Occasion.WELCOME, stored)
        if by_link:
            self.letters.send()
        return Registered(account_id, username, by_link)

    def lost_password(self, login: str) -> None:
        """Mails a link to set a new password to the account of that user name or e-mail, if there
        is one. It answers before anybody looks: nobody learns who has an account."""
        if not self.letters.open:
            raise MailNotOffered
        self.letters.later(lambda: self._reset_letter(login))

    async def reset_password(self, key: str, password: str) -> None:
        """Sets a new password by a mailed key, which works once. Everybody who was signed in to
        the account is signed out."""
        if weak := self.rules.weaknesses(password):
            raise PasswordTooWeak(said(weak))
        async with self.database.acquire() as connection:
            # Before the work: whoever guesses keys shall not cost much.
            if not await mailed_keys.known(connection, key, "password"):
                raise KeyInvalidOrExpired
        hashed = await self.passwords.hash(password)
        async with self.database.transaction() as connection:
            found = await mailed_keys.use(connection, key, "password", self.now())
            if found is None:
                raise KeyInvalidOrExpired
            stored, _ = found
            weak = self.rules.weaknesses(password, stored.account.username, stored.email)
            if weak:
                raise PasswordTooWeak(said(weak))
            await account_store.set_password(connection, stored.account.id, hashed)
            await self.letters.write(connection, Occasion.PASSWORD_CHANGED, stored)
        self.forget()
        self.letters.send()

    def _checked_name(self, username: str) -> str:
        if not username:
            if not self.rules.generate_username:
                raise UsernameInvalid("Choose a user name: `requested_username`.")
            return ""
        if not is_name(username):
            raise UsernameInvalid
        if username.lower() in self.rules.reserved:
            raise UsernameReserved
        return username

    def _by_link(self, password: str) -> bool:
        if password:
            return False
        if not self.rules.generate_password:
            raise RegistrationPasswordMissing
        if not self.letters.open:
            raise MailNotOffered
        return True

    async def _add(
        self, connection: Connection, email: str, username: str, hashed: str
    ) -> tuple[int, str]:
        name_taken, email_taken = await account_store.taken(connection, username, email)
        if email_taken:
            raise RegistrationEmailTaken
        if name_taken:
            raise UsernameTaken
        for attempt in range(1 if username else _TRIES):
            name = username or name_from(email, attempt)
            if not username and name in self.rules.reserved:
                continue
            added = await account_store.add(connection, name, Person(email), hashed, Role.CUSTOMER)
            if added is not None:
                return added, name
        raise UsernameTaken if username else RegistrationEmailTaken

    async def _reset_letter(self, login: str) -> None:
        async with self.database.transaction() as connection:
            found = await account_store.by_login(connection, login.strip())
            if found is None:
                return
            stored = await account_store.by_id(connection, found.account.id, lock=True)
            since = self.now() - ONE_LETTER_IN
            if stored is not None and not await self.letters.lately(
                connection, stored.account.id, Occasion.LOST_PASSWORD, since
            ):
                await self.letters.write(connection, Occasion.LOST_PASSWORD, stored)
