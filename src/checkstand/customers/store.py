"""All SQL about what a customer bought with last: addresses and payment method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkstand.customers.addresses import Address
from checkstand.storage.database import Connection


@dataclass(frozen=True, slots=True)
class Customer:
    """What is filled in for somebody who comes back."""

    billing: Address = Address()
    shipping: Address = Address()
    payment_method: str = ""


async def find(connection: Connection, account_id: int, *, lock: bool = False) -> Customer:
    """What is known of the customer; an empty one when there is nothing yet."""
    row = await connection.fetchrow(
        "SELECT billing, shipping, payment_method FROM customers WHERE account_id = $1"
        + (" FOR NO KEY UPDATE" if lock else ""),
        account_id,
    )
    if row is None:
        return Customer()
    return Customer(_address(row["billing"]), _address(row["shipping"]), row["payment_method"])


async def put(connection: Connection, account_id: int, customer: Customer) -> None:
    """Remembers it. An order is remembered by the database itself (migration 0003)."""
    await connection.execute(
        "INSERT INTO customers (account_id, billing, shipping, payment_method)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (account_id) DO UPDATE SET"
        " billing = excluded.billing, shipping = excluded.shipping,"
        " payment_method = excluded.payment_method",
        account_id,
        customer.billing.as_billing(),
        customer.shipping.as_shipping(),
        customer.payment_method,
    )


def _address(stored: Mapping[str, Any]) -> Address:
    return Address(**stored)
