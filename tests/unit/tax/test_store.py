"""Tax rates in the database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from checkstand.tax import store
from checkstand.tax.model import TaxRate

VAT = TaxRate(
    id=0, country="DE", state="", postcodes=(), cities=(), rate=Decimal("19.0000"), name="MwSt",
    priority=1, compound=False, on_shipping=True, tax_class="", position=0,
)  # fmt: skip
CITY = replace(
    VAT, country="US", state="NY", postcodes=("10001...10292", "112*"), cities=("NYC",), priority=2,
    rate=Decimal("4.8750"), compound=True, on_shipping=False, tax_class="reduced-rate", position=3,
)  # fmt: skip


async def _put(database: Any, *rates: TaxRate) -> tuple[int, int, int]:
    """How many were added, changed, and the same."""
    async with database.transaction() as connection:
        added, changed, same = await store.upsert(connection, rates)
    return len(added), len(changed), len(same)


async def _all(database: Any) -> list[TaxRate]:
    """Without their ids."""
    async with database.acquire() as connection:
        return [replace(rate, id=0) for rate in await store.rates(connection)]


async def test_rates_come_back_as_they_were_put_in_order(database: Any) -> None:
    state = replace(CITY, postcodes=(), cities=(), priority=1)
    assert await _put(database, CITY, VAT, state) == (3, 0, 0)
    assert await _all(database) == [VAT, state, CITY]


async def test_the_same_rate_is_changed_and_not_doubled(database: Any) -> None:
    await _put(database, VAT, CITY)
    higher = replace(VAT, rate=Decimal("20.0000"))
    assert await _put(database, higher, CITY) == (0, 1, 1)
    assert await _all(database) == [higher, CITY]


async def test_each_part_of_the_key_makes_another_rate(database: Any) -> None:
    others = [
        replace(VAT, **part)
        for part in (
            {"country": "FR"}, {"state": "BY"}, {"postcodes": ("1*",)}, {"cities": ("ULM",)},
            {"priority": 2}, {"tax_class": "reduced-rate"}, {"name": "VAT"},
        )
    ]  # fmt: skip
    assert await _put(database, VAT, *others) == (8, 0, 0)


async def test_the_others_can_be_removed(database: Any) -> None:
    async with database.transaction() as connection:
        added, _, _ = await store.upsert(connection, [VAT])
        await store.upsert(connection, [CITY])
        assert await store.remove_others(connection, added) == 1
    assert await _all(database) == [VAT]


async def test_classes_are_made_once(database: Any) -> None:
    async with database.transaction() as connection:
        for name in ("Books", "Other"):
            await store.ensure_classes(connection, {"books": name, "reduced-rate": "x"})
        names = await connection.fetch("SELECT name FROM tax_classes WHERE slug = 'books'")
    assert [row["name"] for row in names] == ["Books"]
