"""What is true of a purchase: by the shop's database, and by the provider's own ledger."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand.payments.store import attempts
from checkstand.testing.promises.asking import expect
from checkstand.testing.proofs.till import IN_STOCK, Purchase, Till


@dataclass(frozen=True, slots=True)
class Books:
    """`charges` and `returned` are the ledger's, in minor units, of all attempts together."""

    orders: tuple[tuple[int, str], ...]
    """Id and status."""
    placed: int
    order_totals: tuple[int, ...]
    """Minor units, of the orders that were placed."""
    attempts: tuple[str, ...]
    charges: tuple[int, ...]
    returned: tuple[int, ...]
    refunds: tuple[str, ...]
    stock: int
    held: int
    uses: int
    """Of the coupon."""
    uses_held: int
    cart_lines: int
    cart_locked: bool

    @property
    def live(self) -> int:
        """Attempts and refunds that are not over."""
        open_ones = [a for a in self.attempts if a in ("open", "unknown", "needs_action")]
        return len(open_ones) + self.refunds.count("open")


async def read_books(till: Till, purchase: Purchase) -> Books:
    async with till.shop.database.acquire() as connection:
        orders = await connection.fetch(
            "SELECT id, status, total, placed_at FROM orders WHERE cart_key = $1 ORDER BY id",
            purchase.cart_key,
        )
        ids = [row["id"] for row in orders]
        tries = [each for order_id in ids for each in await attempts.of_order(connection, order_id)]
        refunds = await connection.fetch(
            "SELECT state FROM refunds WHERE order_id = ANY($1) ORDER BY created_at, id", ids
        )
        goods = await connection.fetchrow(
            "SELECT quantity, (SELECT coalesce(sum(h.quantity), 0)::int FROM stock_holds h"
            " WHERE h.product_id = s.product_id) AS held FROM stock s WHERE product_id = $1",
            purchase.product_id,
        )
        coupon = await connection.fetchrow(
            "SELECT used, (SELECT count(*) FROM coupon_uses u WHERE u.coupon_id = c.id"
            " AND u.redeemed_at IS NULL) AS held FROM coupons c WHERE code = $1",
            purchase.coupon,
        )
        cart = await connection.fetchrow(
            "SELECT jsonb_array_length(document->'lines') AS lines,"
            " paying_until IS NOT NULL OR awaits_action AS locked FROM carts WHERE cart_key = $1",
            purchase.cart_key,
        )
    assert goods is not None
    assert coupon is not None
    assert cart is not None
    for attempt in tries:
        expect(till.peer, attempt)
    charges = [minor for each in tries for minor in await till.peer.charged(each.id)]
    returned = [minor for each in tries for minor in await till.peer.returned(each.id)]
    return Books(
        orders=tuple((row["id"], row["status"]) for row in orders),
        placed=sum(row["placed_at"] is not None for row in orders),
        order_totals=tuple(row["total"] for row in orders if row["placed_at"] is not None),
        attempts=tuple(each.state.value for each in tries),
        charges=tuple(charges),
        returned=tuple(returned),
        refunds=tuple(row["state"] for row in refunds),
        stock=goods["quantity"],
        held=goods["held"],
        uses=coupon["used"],
        uses_held=coupon["held"],
        cart_lines=cart["lines"],
        cart_locked=cart["locked"],
    )


async def assert_bought(till: Till, purchase: Purchase) -> Books:
    """One order, one charge, the goods gone, the coupon used, the cart closed, nothing under
    way."""
    books = await read_books(till, purchase)
    assert len(books.orders) == books.placed == 1, books
    assert books.orders[0][1] in ("processing", "completed"), books
    assert books.attempts.count("approved") == 1, books
    assert books.charges == books.order_totals == (purchase.total,), books
    assert books.returned == (), books
    assert (books.stock, books.held) == (IN_STOCK - 1, 0), books
    assert (books.uses, books.uses_held) == (1, 0), books
    assert (books.cart_lines, books.cart_locked) == (0, False), books
    assert books.live == 0, books
    return books


async def assert_not_bought(till: Till, purchase: Purchase) -> Books:
    """No money kept, the goods on the shelf, the coupon unused, the cart as it was and free to be
    edited."""
    books = await read_books(till, purchase)
    assert len(books.orders) <= 1, books
    assert books.placed == 0, books
    assert sum(books.charges) == sum(books.returned), books
    assert (books.stock, books.held) == (IN_STOCK, 0), books
    assert (books.uses, books.uses_held) == (0, 0), books
    assert (books.cart_lines, books.cart_locked) == (1, False), books
    assert books.live == 0, books
    return books


async def assert_given_back(till: Till, purchase: Purchase, *, restocked: bool) -> Books:
    """One order, one charge, one refund of all of it, and the goods where they belong."""
    books = await read_books(till, purchase)
    assert len(books.orders) == books.placed == 1, books
    assert books.orders[0][1] == "refunded", books
    assert books.charges == books.order_totals == books.returned == (purchase.total,), books
    assert books.refunds.count("done") == 1, books
    assert (books.stock, books.held) == (IN_STOCK if restocked else IN_STOCK - 1, 0), books
    assert (books.uses, books.uses_held) == (1, 0), books
    assert (books.cart_lines, books.cart_locked) == (0, False), books
    assert books.live == 0, books
    return books
