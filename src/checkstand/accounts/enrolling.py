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
from checkstand.accounts.registration import Registration
from checkstand.accounts.rules import AccountRules, name_from, said
from checkstand.errors import AccountNotCreated
from checkstand.orders import store as orders
from checkstand.orders.model import Order
from checkstand.storage.database import Connection

_TRIES = 5


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a guest asks for; the e-mail is the one that the order is billed to."""

    password: str = field(repr=False)
    email: str = ""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An account that can be made: the password is hashed already."""

    password_hash: str = field(repr=False)
    reserved: frozenset[str] = frozenset()
    by_link: bool = False
    """Nobody knows the password: it is chosen by a mailed link."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    rules: AccountRules
    passwords: Passwords
    registration: Registration

    async def prepare(self, wanted: NewAccount) -> Enrolment:
        """Judges and hashes the password, while no transaction is open."""
        if not self.rules.registration:
            raise _refused("This shop does not take registrations; order without `create_account`.")
        if not wanted.password:
            if not (self.rules.generate_password and self.registration.post.open):
                raise _refused("Send the password of the new account as `customer_password`.")
            hashed = await self.passwords.hash(secrets.token_hex(32))
            return Enrolment(hashed, self.rules.reserved, by_link=True)
        weak = self.rules.weaknesses(wanted.password, wanted.email)
        if weak:
            raise _refused(said(weak))
        return Enrolment(await self.passwords.hash(wanted.password), self.rules.reserved)

    def welcome(self, enrolment: Enrolment, order: Order) -> None:
        """Mails the link to choose a password to the account that this made, once."""
        if enrolment.by_link and order.customer_id is not None:
            self.registration.welcome_later(order.customer_id)


async def owned(
    connection: Connection, order: Order, before: int | None, enrolment: Enrolment | None
) -> Order:
    """The order with its owner: the customer who signed in, or the one enrolled now. `before` is an
    order that this cart opened earlier and that was not paid."""
    if order.customer_id is None and enrolment is not None:
        order = replace(order, customer_id=await _enrolled(connection, order, before, enrolment))
    return order


async def _enrolled(
    connection: Connection, order: Order, before: int | None, enrolment: Enrolment
) -> int:
    billing = order.billing
    if before is not None:
        earlier = await orders.head(connection, before)
        if (
            earlier is not None
            and earlier.customer_id is not None
            and earlier.cart_key == order.cart_key
            and earlier.billing.email.casefold() == billing.email.casefold()
        ):
            return earlier.customer_id
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
                return added
    raise _refused(
        "There is an account with this e-mail address: sign in, or order without `create_account`."
    )


def _refused(message: str) -> AccountNotCreated:
    return AccountNotCreated(message, data={"error_type": "validation_error"})
