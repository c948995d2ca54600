"""An account made while ordering: prepared before the purchase, made in its transaction A.

So there is never an account without the order that it was made for, nor the other way round. When
the payment is declined, the account is there and so is the order: trying again finds it by them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from checkstand.access import account_store
from checkstand.access.account_store import Person
from checkstand.access.passwords import Passwords
from checkstand.access.principal import Role
from checkstand.accounts.correspondence import Correspondence
from checkstand.accounts.letters import Occasion
from checkstand.accounts.rules import AccountRules, name_from, said
from checkstand.errors import AccountNotCreated
from checkstand.orders import store as orders
from checkstand.orders.model import Order
from checkstand.storage.database import Connection

_TRIES = 5


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a guest asks for; "" for a password that the shop is to make."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An account that can be made: the password is hashed already. It must not be the e-mail that
    the order turns out to be billed to."""

    password: str = field(repr=False)
    password_hash: str = field(repr=False)
    reserved: frozenset[str] = frozenset()
    letters: Correspondence | None = None
    """Writes to who has to choose a password."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    rules: AccountRules
    passwords: Passwords
    letters: Correspondence

    async def prepare(self, wanted: NewAccount) -> Enrolment:
        """Judges and hashes the password, while no transaction is open."""
        if not self.rules.registration:
            raise _refused("This shop does not take registrations; order without `create_account`.")
        if not wanted.password:
            return await self._by_link()
        weak = self.rules.weaknesses(wanted.password)
        if weak:
            raise _refused(said(weak))
        hashed = await self.passwords.hash(wanted.password)
        return Enrolment(wanted.password, hashed, self.rules.reserved)

    async def _by_link(self) -> Enrolment:
        if not (self.rules.generate_password and self.letters.open):
            raise _refused("Send the password of the new account as `customer_password`.")
        hashed = await self.passwords.hash(secrets.token_hex(32))
        return Enrolment("", hashed, self.rules.reserved, self.letters)


async def owned(
    connection: Connection, order: Order, before: int | None, enrolment: Enrolment | None
) -> Order:
    """The order with its owner: the customer who signed in, or the one enrolled now. `before` is an
    order that this cart opened earlier and that was not paid: who owns that one, owns this one."""
    if order.customer_id is not None:
        return order
    owner = await _earlier(connection, order, before)
    if owner is None and enrolment is not None:
        owner = await _enrolled(connection, order, enrolment)
    return replace(order, customer_id=owner)


async def _earlier(connection: Connection, order: Order, before: int | None) -> int | None:
    earlier = await orders.head(connection, before) if before is not None else None
    if earlier is None or earlier.cart_key != order.cart_key:
        return None
    same = earlier.billing.email.casefold() == order.billing.email.casefold()
    return earlier.customer_id if same else None


async def _enrolled(connection: Connection, order: Order, enrolment: Enrolment) -> int:
    billing = order.billing
    if enrolment.password.casefold() == billing.email.casefold():
        raise _refused("The password must not be the user name or the e-mail address.")
    _, taken = await account_store.taken(connection, "", billing.email)
    if not taken:
        display = f"{billing.first_name} {billing.last_name}".strip()
        person = Person(billing.email, billing.first_name, billing.last_name, display)
        for attempt in range(_TRIES):
            username = name_from(billing.email, attempt)
            if username in enrolment.reserved:
                continue
            added = await account_store.add(
                connection, username, person, enrolment.password_hash, Role.CUSTOMER
            )
            if added is not None:
                await _welcomed(connection, added, enrolment)
                return added
    raise _refused(
        "There is an account with this e-mail address: sign in, or order without `create_account`."
    )


async def _welcomed(connection: Connection, account_id: int, enrolment: Enrolment) -> None:
    if enrolment.letters is not None:
        stored = await account_store.by_id(connection, account_id)
        assert stored is not None, "it was just added"
        await enrolment.letters.write(connection, Occasion.WELCOME, stored)


def _refused(message: str) -> AccountNotCreated:
    return AccountNotCreated(message, data={"error_type": "validation_error"})
