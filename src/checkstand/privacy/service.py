"""What a person may ask for: what is known about him, and that it is forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkstand import audit
from checkstand.audit import store as audit_store
from checkstand.errors import CheckstandError
from checkstand.privacy import store
from checkstand.privacy.store import Person
from checkstand.storage.database import Connection, Database


class NobodyKnown(CheckstandError):
    """There is no personal data of such a person."""


class PaymentUnderWay(CheckstandError):
    """An order of the person is being paid: its data is needed until that has ended."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many of each; orders keep their amounts and lines."""

    orders: int
    carts: int
    audit_entries: int
    account: bool


async def export(database: Database, who: str) -> dict[str, Any]:
    """Everything that is known about an account (its number or e-mail) or a guest (his e-mail).
    That it was exported is noted. NobodyKnown when there is nothing."""
    async with database.transaction() as connection:
        person = await _person(connection, who)
        ids = await store.order_ids(connection, person)
        entries = await audit_store.about(connection, _names(person, ids))
        found = {
            "account": await store.account(connection, person),
            "orders": await store.orders(connection, ids),
            "carts": await store.carts(connection, person),
            "reviews": await store.reviews(connection, person),
            "audit": [entry.as_json() for entry in entries],
        }
        await audit.record(connection, "privacy.exported", _subject(person, ids))
    return found


async def erase(database: Database, who: str) -> Erased:
    """Takes the person out of orders, carts, reviews, coupons, the account and the audit log, in
    one transaction. Amounts stay, and the audit log still verifies. NobodyKnown or
    PaymentUnderWay."""
    async with database.transaction() as connection:
        person = await _person(connection, who)
        ids = await store.order_ids(connection, person)
        busy = await store.paying(connection, ids)
        if busy:
            raise PaymentUnderWay(f"order {busy[0]} is being paid; try again when that has ended")
        carts = await store.erase_carts(connection, person, ids)
        await store.erase_orders(connection, ids)
        await store.erase_reviews(connection, person)
        await store.erase_coupons(connection, person, ids)
        if person.account_id is not None:
            await store.erase_account(connection, person.account_id)
        entries = await audit_store.erase_personal(connection, _names(person, ids))
        detail = {"orders": len(ids), "carts": carts, "audit_entries": entries}
        await audit.record(connection, "privacy.erased", _subject(person, ids), detail)
    return Erased(len(ids), carts, entries, person.account_id is not None)


async def _person(connection: Connection, who: str) -> Person:
    person = await store.find(connection, who)
    if person is None:
        raise NobodyKnown("there is no account, order, cart or review of this person")
    return person


def _names(person: Person, ids: list[int]) -> list[str]:
    """Under which names the audit log speaks of the person."""
    own = [f"account {person.account_id}"] if person.account_id is not None else []
    return [*own, *(f"order {order_id}" for order_id in ids)]


def _subject(person: Person, ids: list[int]) -> str:
    return next(iter(_names(person, ids)), "guest")
