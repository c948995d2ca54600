"""The card-testing shield: what counts, what does not, and what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkstand.guarding import Hooks
from checkstand.payments.model import Approved, Declined, Funds
from checkstand.storage.database import Database
from tests.api.test_keys import ADMIN, BOSS
from tests.fakes import ScriptedGateway
from tests.makers import BILLING, Storefront, administrator, product, running, shop_settings

ROOMY = dict.fromkeys(("address", "cart", "email", "account", "gateway"), "1000/hour")


class Time:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Puzzle:
    """A challenge that knows one answer."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "puzzle", "question": "6 x 7"}

    async def passed(self, proof: str, address: str) -> bool:
        self.asked.append((proof, address))
        if proof == "broken":
            raise OSError
        return proof == "42"


@pytest.fixture(autouse=True)
async def shirt(empty_database: str, database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM")


@dataclass
class Stand:
    """A shop with a card gateway that declines everything until told otherwise."""

    shop: Storefront
    card: ScriptedGateway
    clock: Time

    async def cart(self, email: str = "ines@example.com", method: str = "card") -> Storefront:
        shopper = await self.shop.another().ready_to_order()
        sent = {"billing_address": {**BILLING, "email": email}, "payment_method": method}
        assert (await shopper.update(**sent)).status_code == 200
        return shopper

    async def pay(
        self, shopper: Storefront, address: str = "198.51.100.1", outcome: Any = None, **more: str
    ) -> Any:
        self.card.script[:] = [outcome or Declined("No.")]
        return await shopper.process(headers={"X-Forwarded-For": address, **more})

    async def decisions(self) -> list[dict[str, Any]]:
        await self.shop.shop.guards.flush()
        answer = await self.shop.call("GET", f"{ADMIN}/shield/decisions", headers=BOSS)
        found: list[dict[str, Any]] = answer.json()
        return found


@asynccontextmanager
async def standing(url: str, hooks: Hooks = Hooks(), **budgets: str) -> AsyncIterator[Stand]:
    card, clock = ScriptedGateway(), Time()
    settings = shop_settings(
        url,
        shield={**ROOMY, **budgets},
        security={"trusted_proxies": ["127.0.0.1"], "require_https": False},
    )
    async with running(settings, gateways={"card": card}, clock=clock, hooks=hooks) as shop:
        await administrator(shop.shop, "a good password")
        yield Stand(shop, card, clock)


def refused(answer: Any) -> bool:
    if answer.status_code == 429:
        assert answer.json()["code"] == "cocart_checkout_too_many_declines"
        assert int(answer.headers["Retry-After"]) >= 1
        return True
    return False


async def test_a_cart_has_a_budget_of_declines(empty_database: str) -> None:
    async with standing(empty_database, cart="3/hour") as stand:
        shopper = await stand.cart()
        for number in range(3):
            answer = await stand.pay(shopper, f"198.51.100.{number}")
            assert answer.json()["code"] == "cocart_payment_failed"
        charged = len(stand.card.asked)
        stopped = await stand.pay(shopper, "198.51.100.9")
        assert refused(stopped)
        assert 3590 <= int(stopped.headers["Retry-After"]) <= 3600
        assert len(stand.card.asked) == charged, "the gateway was not asked"
        assert not refused(await stand.pay(await stand.cart(), "198.51.100.9")), "another cart"
        stand.clock.at += timedelta(minutes=61)
        assert not refused(await stand.pay(shopper)), "an hour later"


@pytest.mark.parametrize("dimension", ["address", "email"])
async def test_other_carts_do_not_help(empty_database: str, dimension: str) -> None:
    async with standing(empty_database, **{dimension: "2/hour"}) as stand:

        async def attempt(email: str, address: str) -> bool:
            return refused(await stand.pay(await stand.cart(email), address))

        for _ in range(2):
            assert not await attempt("Ines@Example.com", "198.51.100.1")
        same_mail, same_place = dimension == "email", dimension == "address"
        assert await attempt("ines@example.com", "198.51.100.2") == same_mail
        assert await attempt("other@example.com", "198.51.100.1") == same_place
        assert not await attempt("third@example.com", "198.51.100.3")


async def test_a_gateway_has_a_budget(empty_database: str) -> None:
    async with standing(empty_database, gateway="2/hour") as stand:
        for number in range(2):
            cart = await stand.cart(f"u{number}@example.com")
            assert not refused(await stand.pay(cart, f"198.51.{number}.1"))
        cart = await stand.cart("u9@example.com")
        assert refused(await stand.pay(cart, "198.51.9.1"))
        # What takes no card is still open to everybody.
        cart = await stand.cart("u9@example.com", "bacs")
        assert (await cart.process()).status_code == 200


async def test_an_account_has_a_budget(empty_database: str) -> None:
    async with standing(empty_database, account="1/hour") as stand:
        shopper = stand.shop
        chosen = {"billing_address": BILLING, "payment_method": "card"}

        async def process() -> Any:
            return await shopper.process(headers=BOSS)

        item = {"id": "1", "quantity": "1"}
        await shopper.call("POST", "/wp-json/cocart/v2/cart/add-item", item, headers=BOSS)
        await shopper.call("PUT", "/wp-json/cocart/preview/checkout", chosen, headers=BOSS)
        stand.card.script[:] = [Declined("No.")]
        assert not refused(await process())
        assert refused(await process())


async def test_only_declines_count(empty_database: str) -> None:
    """No success, no replay of one, nothing that takes no card."""
    async with standing(empty_database, address="1/hour", email="1/hour") as stand:
        for _ in range(3):
            shopper = await stand.cart()
            paid = await stand.pay(shopper, outcome=Approved(Funds.CAPTURED, "ref"))
            assert paid.status_code == 200
            assert (await stand.pay(shopper)).json()["order_id"] == paid.json()["order_id"]
            assert (await (await stand.cart(method="bacs")).process()).status_code == 200
        assert await stand.decisions() == []
        assert not refused(await stand.pay(await stand.cart()))
        assert refused(await stand.pay(await stand.cart()))
        # A refusal is not a decline: the budget comes back when its time is over.
        stand.clock.at += timedelta(minutes=61)
        assert not refused(await stand.pay(await stand.cart()))


async def test_what_succeeded_is_replayed_whatever_was_declined_since(empty_database: str) -> None:
    async with standing(empty_database, address="1/hour") as stand:
        shopper = await stand.cart()
        paid = (await stand.pay(shopper, outcome=Approved(Funds.CAPTURED, "ref"))).json()
        await stand.pay(await stand.cart())
        again = await stand.pay(shopper)
        assert again.json()["order_id"] == paid["order_id"]


async def test_in_a_dry_run_nobody_is_refused_and_everything_is_told(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with standing(empty_database, cart="1/hour", mode="dry_run") as stand:
        shopper = await stand.cart()
        last = None
        for _ in range(3):
            last = await stand.pay(shopper)
            assert last.json()["code"] == "cocart_payment_failed"
        first, second = (await stand.decisions())[::-1]
        assert (second["verdict"], second["mode"]) == ("would_refuse", "dry_run")
        assert first["counts"]["cart"] == {
                "declines": 1, "under_way": 0, "limit": 1, "seconds": 3600
            }  # fmt: skip
        assert second["counts"]["cart"]["declines"] == 2
        assert second["reason"] == "spent: cart"
        assert second["request_id"] == last.headers["X-Request-Id"]
        assert "would_refuse" in caplog.text
        for word in ("ines@example.com", "198.51.100.1", shopper.cart_key):
            assert word not in caplog.text
            assert word not in str(second)


async def test_off_is_off(empty_database: str, database: Database) -> None:
    async with standing(empty_database, cart="1/hour", mode="off") as stand:
        shopper = await stand.cart()
        for _ in range(3):
            assert not refused(await stand.pay(shopper))
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM shield_marks") == 0


async def test_every_decision_about_somebody_who_was_declined_is_explained(
    empty_database: str,
) -> None:
    async with standing(empty_database, cart="2/hour") as stand:
        shopper = await stand.cart()
        for _ in range(3):
            await stand.pay(shopper)
        found = [(each["verdict"], each["reason"]) for each in await stand.decisions()]
        assert found == [("refused", "spent: cart"), ("allowed", "within every budget")]
        await stand.shop.shop.guards.flush()
        alerts = (await stand.shop.call("GET", f"{ADMIN}/alerts", headers=BOSS)).json()
        spent = [each for each in alerts if each["topic"] == "declines.too_many"]
        assert [each["subject"] for each in spent] == ["card"]


async def test_a_challenge_lets_a_person_through(empty_database: str) -> None:
    puzzle = Puzzle()
    async with standing(empty_database, Hooks(challenge=puzzle), cart="1/hour") as stand:
        shopper = await stand.cart()
        await stand.pay(shopper)
        asked = await stand.pay(shopper)
        assert refused(asked)
        assert asked.json()["data"]["challenge"] == {"kind": "puzzle", "question": "6 x 7"}
        for wrong in ("41", "broken"):
            assert refused(await stand.pay(shopper, **{"Checkstand-Challenge": wrong}))
        right = {"Checkstand-Challenge": "42"}
        paid = await stand.pay(shopper, outcome=Approved(Funds.CAPTURED, "r"), **right)
        assert paid.status_code == 200
        assert puzzle.asked[-1] == ("42", "198.51.100.1")
        verdicts = [each["verdict"] for each in await stand.decisions()]
        assert verdicts == ["allowed", "challenged", "challenged", "challenged"]


async def test_a_proof_without_a_challenge_opens_nothing(empty_database: str) -> None:
    async with standing(empty_database, cart="1/hour") as stand:
        shopper = await stand.cart()
        await stand.pay(shopper)
        assert refused(await stand.pay(shopper, **{"Checkstand-Challenge": "42"}))


async def test_a_refusal_leaves_the_cart_and_the_stock_as_they_were(
    empty_database: str, database: Database
) -> None:
    async with database.transaction() as connection:
        counted = await product(connection, sku="COUNTED", slug="counted", stock=3)
    async with standing(empty_database, cart="1/hour") as stand:
        shopper = await stand.shop.another().ready_to_order(counted)
        await shopper.update(billing_address=BILLING, payment_method="card")
        await stand.pay(shopper)
        assert refused(await stand.pay(shopper))
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT count(*) FROM stock_holds") == 0
            assert await connection.fetchval("SELECT quantity FROM stock") == 3
        assert (await shopper.state())["payment_method"] == "card"
        await shopper.update(payment_method="bacs")
        assert (await shopper.process()).status_code == 200


async def test_the_budget_survives_a_restart_and_is_shared(empty_database: str) -> None:
    async with standing(empty_database, email="2/hour") as one:
        await one.pay(await one.cart())
        async with standing(empty_database, email="2/hour") as two:
            await two.pay(await two.cart())
            assert refused(await one.pay(await one.cart()))
    async with standing(empty_database, email="2/hour") as again:
        assert refused(await again.pay(await again.cart()))


async def test_many_at_once_overrun_by_no_more_than_they_are(empty_database: str) -> None:
    async with standing(empty_database, address="3/hour") as stand:
        carts = [await stand.cart(f"u{n}@example.com") for n in range(6)]
        stand.card.script[:] = [Declined("No.")] * 60

        async def attempts(shopper: Storefront) -> int:
            answers = [
                await shopper.process(headers={"X-Forwarded-For": "198.51.100.1"})
                for _ in range(10)
            ]
            return sum(not refused(answer) for answer in answers)

        charged = sum(await asyncio.gather(*map(attempts, carts)))
        assert charged == len(stand.card.asked)
        assert 3 <= charged <= 3 + len(carts) - 1
