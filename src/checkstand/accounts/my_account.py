"""What the owner of an account sees and changes: names, e-mail, password, addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from checkstand.access import account_store
from checkstand.access.account_store import Person, StoredAccount
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Account, Caller
from checkstand.accounts import earlier_orders, mailed_keys
from checkstand.accounts.correspondence import Correspondence
from checkstand.accounts.letters import Occasion
from checkstand.accounts.rules import LONGEST_EMAIL, AccountRules, said
from checkstand.customers import addresses
from checkstand.customers import store as customers
from checkstand.customers.contacts import is_email
from checkstand.customers.store import Customer
from checkstand.errors import (
    AccountAddressInvalid,
    AccountEmailInvalid,
    AccountEmailTaken,
    AccountFieldRequired,
    CurrentPasswordRequired,
    CurrentPasswordWrong,
    DisplayNameIsEmail,
    KeyInvalidOrExpired,
    MailNotOffered,
    MyAccountDenied,
    NewPasswordRequired,
    NoAddressGiven,
    PasswordsDiffer,
    PasswordTooWeak,
    PasswordToRepeat,
)
from checkstand.orders.history import History
from checkstand.orders.history_store import Record
from checkstand.storage.database import Connection, Database

_REQUIRED = (
    ("account_first_name", "first name"),
    ("account_last_name", "last name"),
    ("account_display_name", "display name"),
    ("account_email", "e-mail address"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    stored: StoredAccount
    customer: Customer
    record: Record


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """ "" for what was not sent."""

    current: str = field(default="", repr=False)
    new: str = field(default="", repr=False)
    again: str = field(default="", repr=False)

    def check(self, *, needed: bool) -> bool:
        """Whether a change is asked for; refused when only half of it is."""
        if not (self.new or self.again):
            if self.current or needed:
                raise NewPasswordRequired
            return False
        if not self.current:
            raise CurrentPasswordRequired
        if not self.again or not self.new:
            raise PasswordToRepeat
        if self.new != self.again:
            raise PasswordsDiffer
        return True


@dataclass(frozen=True, slots=True)
class MyAccount:
    database: Database
    passwords: Passwords
    letters: Correspondence
    rules: AccountRules
    history: History
    sell_to: frozenset[str] | None
    strict_phone: bool
    now: Callable[[], datetime]
    forget: Callable[[], None]
    """Makes this process forget who it knows: an account has changed."""

    async def person(self, account: Account) -> StoredAccount:
        """Who somebody is who just signed in."""
        async with self.database.acquire() as connection:
            stored = await account_store.by_id(connection, account.id)
        if stored is None:
            raise MyAccountDenied
        return stored

    async def profile(self, caller: Caller) -> Profile:
        """The caller's account with addresses and what was ordered."""
        account = _signed_in(caller)
        async with self.database.acquire() as connection:
            stored = await account_store.by_id(connection, account.id)
            customer = await customers.find(connection, account.id)
        if stored is None:
            raise MyAccountDenied
        return Profile(stored, customer, await self.history.record(account))

    async def update(
        self, caller: Caller, fields: Mapping[str, str], password: PasswordChange
    ) -> bool:
        """New names, e-mail and password, all or nothing; names and e-mail go to the billing
        address too. Whether the e-mail waits to be confirmed at the new address."""
        account = _signed_in(caller)
        person = _person(fields)
        changing = password.check(needed=False)
        hashed = await self._hashed(account, password) if changing else None
        async with self.database.transaction() as connection:
            stored = await self._locked(connection, account, as_verified=changing)
            if hashed is not None:
                await account_store.set_password(connection, account.id, hashed)
                # A key that is mailed now must not be older than the password.
                stored = await self._locked(connection, account, as_verified=False)
            moves = person.email.casefold() != stored.email.casefold()
            if moves:  # the old address hears of it, also when the new one is set at once
                await self.letters.write(connection, Occasion.EMAIL_CHANGES, stored)
            if hashed is not None:
                await self.letters.write(connection, Occasion.PASSWORD_CHANGED, stored)
            waits = moves and await self._new_email(connection, stored, person.email)
            await account_store.describe(connection, account.id, person)
            await self._mirror(connection, stored, person, email=moves and not waits)
        self.forget()
        self.letters.send()
        return waits

    async def change_password(self, caller: Caller, password: PasswordChange) -> None:
        """Another password. Everybody who was signed in to the account is signed out."""
        account = _signed_in(caller)
        password.check(needed=True)
        hashed = await self._hashed(account, password)
        async with self.database.transaction() as connection:
            stored = await self._locked(connection, account, as_verified=True)
            await account_store.set_password(connection, account.id, hashed)
            await self.letters.write(connection, Occasion.PASSWORD_CHANGED, stored)
        self.forget()
        self.letters.send()

    async def verify_email(self, key: str, account_id: int) -> str:
        """Gives an account the address that the key was sent to; everybody is signed out."""
        async with self.database.transaction() as connection:
            found = await mailed_keys.use(connection, key, "email", self.now())
            if found is None or found[0].account.id != account_id:
                raise KeyInvalidOrExpired
            email = found[1]
            if not await account_store.set_email(connection, account_id, email):
                raise AccountEmailTaken
            known = await customers.find(connection, account_id, lock=True)
            known = replace(known, billing=known.billing.merged({"email": email}))
            await customers.put(connection, account_id, known)
            await earlier_orders.proven(connection, account_id, email)
        self.forget()
        return email

    async def update_addresses(
        self,
        caller: Caller,
        billing: Mapping[str, str] | None,
        shipping: Mapping[str, str] | None,
    ) -> Customer:
        """Merges address parts, all or nothing: AccountAddressInvalid with every problem."""
        account = _signed_in(caller)
        if not billing and not shipping:
            raise NoAddressGiven
        async with self.database.transaction() as connection:
            await account_store.by_id(connection, account.id, lock=True)
            known = await customers.find(connection, account.id, lock=True)
            changed = replace(
                known,
                billing=addresses.normalised(known.billing.merged(billing or {})),
                shipping=addresses.normalised(known.shipping.merged(_of_shipping(shipping))),
            )
            problems = [
                problem
                for group, address, given in (
                    ("billing_address", changed.billing, billing),
                    ("shipping_address", changed.shipping, shipping),
                )
                if given
                for problem in addresses.malformed(
                    address,
                    group,
                    allowed_countries=self.sell_to,
                    strict_phone=self.strict_phone,
                )
            ]
            if problems:
                raise AccountAddressInvalid(
                    " ".join(problem.message for problem in problems),
                    data={"problems": [problem.as_json() for problem in problems]},
                )
            await customers.put(connection, account.id, changed)
        return changed

    async def _hashed(self, account: Account, password: PasswordChange) -> str:
        """The hash of the new password, once the current one is proven. No transaction is open."""
        stored = await self.person(account)
        if not await self.passwords.match(stored.password_hash, password.current):
            raise CurrentPasswordWrong
        weak = self.rules.weaknesses(password.new, account.username, stored.email)
        if weak:
            raise PasswordTooWeak(said(weak))
        return await self.passwords.hash(password.new)

    async def _locked(
        self, connection: Connection, account: Account, *, as_verified: bool
    ) -> StoredAccount:
        stored = await account_store.by_id(connection, account.id, lock=True)
        if stored is None:
            raise MyAccountDenied
        if as_verified and stored.account.generation != account.generation:
            raise CurrentPasswordWrong  # it has just become another one
        return stored

    async def _new_email(self, connection: Connection, stored: StoredAccount, email: str) -> bool:
        """Sets it at once, or writes there for it to be confirmed: whether it waits for that."""
        if (await account_store.taken(connection, "", email))[1]:
            raise AccountEmailTaken
        if self.rules.verify_email:
            if not self.letters.open:
                raise MailNotOffered
            await self.letters.write(connection, Occasion.NEW_EMAIL, stored, email)
            return True
        if not await account_store.set_email(connection, stored.account.id, email):
            raise AccountEmailTaken
        return False

    async def _mirror(
        self, connection: Connection, before: StoredAccount, person: Person, *, email: bool
    ) -> None:
        """What has changed goes to the billing address, and so does what that lacks; `email`:
        whether a new address counts already."""
        known = await customers.find(connection, before.account.id, lock=True)
        old = {"first_name": before.first_name, "last_name": before.last_name}
        new = {"first_name": person.first_name, "last_name": person.last_name}
        old["email"], new["email"] = before.email, person.email if email else before.email
        parts = {
            part: text
            for part, text in new.items()
            if text != old[part] or not getattr(known.billing, part)
        }
        if parts:
            billing = addresses.normalised(known.billing.merged(parts))
            await customers.put(connection, before.account.id, replace(known, billing=billing))


def _signed_in(caller: Caller) -> Account:
    if caller.account is None:
        raise MyAccountDenied
    return caller.account


def _person(fields: Mapping[str, str]) -> Person:
    for name, label in _REQUIRED:
        if not fields.get(name, "").strip():
            raise AccountFieldRequired(
                f"<strong>{label.capitalize()}</strong> is a required field.", data={"id": name}
            )
    first, last, display, email = (addresses.tidy(fields[name]) for name, _ in _REQUIRED)
    if len(email) > LONGEST_EMAIL or not is_email(email):
        raise AccountEmailInvalid
    if is_email(display):
        raise DisplayNameIsEmail
    return Person(email, first, last, display)


def _of_shipping(parts: Mapping[str, str] | None) -> dict[str, str]:
    return {part: text for part, text in (parts or {}).items() if part in addresses.SHIPPING_FIELDS}
