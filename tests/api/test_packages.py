"""Several packages in one cart: rated, chosen, taxed, ordered and explained one by one."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from checkstand.errors import ConfigurationError
from checkstand.payments.model import NeedsAction
from checkstand.storage.database import Database
from checkstand.wiring.splitting import splitter_of
from tests.fakes import ScriptedGateway
from tests.makers import (
    BILLING,
    PREVIEW,
    V2,
    Storefront,
    execute,
    product,
    running,
    shop_settings,
    sql_count,
)

CART, CHOOSE = f"{V2}/cart", f"{V2}/cart/set-shipping-method"
ZONES = [
    {
        "name": "US",
        "countries": ["US"],
        "methods": [
            {"id": 1, "kind": "flat_rate", "title": "Parcel", "cost": "5", "only_classes": [""]},
            {"id": 2, "kind": "flat_rate", "title": "Freight", "cost": "40",
             "only_classes": ["bulky"]},
            {"id": 3, "kind": "local_pickup", "title": "Pickup"},
            {"id": 4, "kind": "flat_rate", "title": "Courier", "cost": "9", "cost_per_item": "1.5"},
        ],
    },
    {
        "name": "Elsewhere",
        "methods": [
            {"id": 5, "kind": "flat_rate", "title": "Abroad", "cost": "18", "only_classes": [""]}
        ],
    },
]  # fmt: skip
BY_CLASS = {"zones": ZONES, "split": "shipping_class"}
DUNMORE = {key: BILLING[key] for key in ("country", "state", "postcode", "city")}
LAMP, SOFA = 1, 2


async def goods(database: Database) -> None:
    async with database.acquire() as connection:
        await product(connection, name="Lamp", slug="lamp", regular_price=1000)
        await product(
            connection, name="Sofa", slug="sofa", regular_price=50_000, shipping_class="bulky"
        )


@pytest.fixture
async def shopper(empty_database: str, database: Database) -> AsyncIterator[Storefront]:
    """Two lamps and a sofa, which travel apart, to California."""
    await goods(database)
    async with running(shop_settings(empty_database, shipping=BY_CLASS)) as storefront:
        await storefront.add(SOFA)
        await storefront.add(LAMP, 2)
        await storefront.call("POST", f"{CART}/calculate/shipping", DUNMORE)
        yield storefront


async def shipping(shopper: Storefront) -> dict[str, Any]:
    found: dict[str, Any] = (await shopper.call("GET", CART)).json()["shipping"]
    return found


def chosen(cart: httpx2.Response) -> dict[str, str]:
    assert cart.status_code == 200, cart.text
    packages = cart.json()["shipping"]["packages"]
    return {key: package["chosen_method"] for key, package in packages.items()}


# --- what is shown -------------------------------------------------------------------------------


async def test_the_cart_shows_each_package(shopper: Storefront) -> None:
    found = await shipping(shopper)
    assert (found["total_packages"], found["show_package_details"]) == (2, True)
    first, second = found["packages"]["default"], found["packages"]["2"]
    assert (first["package_name"], second["package_name"]) == ("Shipping", "Shipping #2")
    assert (first["index"], second["index"]) == (0, 1)
    assert (first["package_details"], second["package_details"]) == ("Lamp × 2", "Sofa × 1")
    assert list(first["rates"]) == ["flat_rate:1", "local_pickup:3", "flat_rate:4"]
    assert list(second["rates"]) == ["flat_rate:2", "local_pickup:3", "flat_rate:4"]
    assert first["rates"]["flat_rate:4"]["cost"] == "1200"
    assert second["rates"]["flat_rate:4"]["cost"] == "1050"
    assert second["rates"]["flat_rate:2"]["meta_data"] == {"items": "Sofa × 1"}
    cart = (await shopper.call("GET", CART)).json()
    assert cart["totals"]["shipping_total"] == "4500"
    assert cart["totals"]["total"] == str(50_000 + 2000 + 4500)


async def test_one_class_is_one_package(shopper: Storefront) -> None:
    other = shopper.another()
    await other.add(SOFA)
    await other.call("POST", f"{CART}/calculate/shipping", DUNMORE)
    found = await shipping(other)
    assert (found["total_packages"], list(found["packages"])) == (1, ["default"])
    assert found["show_package_details"] is False
    assert found["packages"]["default"]["package_name"] == "Shipping"


async def test_checkouts_show_the_rates_of_all_packages_once(shopper: Storefront) -> None:
    state = await shopper.state()
    assert {key: rate["cost"] for key, rate in state["shipping_methods"].items()} == {
        "flat_rate:1": "5.00",
        "local_pickup:3": "0.00",
        "flat_rate:4": "22.50",  # of both together: choosing it without a package means both
        "flat_rate:2": "40.00",
    }
    assert list(state["shipping_packages"]) == ["default", "2"]
    sofa = state["shipping_packages"]["2"]
    assert (sofa["package_name"], sofa["index"]) == ("Shipping #2", 1)
    assert list(sofa["items"].values()) == [1]
    assert (sofa["chosen_method"], sofa["rates"]["flat_rate:2"]["cost"]) == ("flat_rate:2", "40.00")
    newer = (await shopper.call("GET", f"{V2}/checkout")).json()
    assert newer["shipping_methods"]["flat_rate:4"]["cost"] == "2250"
    assert set(newer["shipping_methods"]) == set(state["shipping_methods"])
    assert newer["cart_totals"]["shipping_total"] == "4500"


async def test_what_a_client_reads_it_may_send_back(shopper: Storefront) -> None:
    for said in ("flat_rate:4", {"default": "flat_rate:4"}, {"2": "local_pickup:3"}):
        before = (await shopper.update(shipping_method=said)).json()
        after = (await shopper.update(shipping_method=before["shipping_method"] or None)).json()
        if before["shipping_method"]:
            assert after["shipping_packages"] == before["shipping_packages"]


# --- choosing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "changed"),
    [
        ("default", ["default"]),
        (0, ["default"]),
        ("0", ["default"]),
        ("2", ["2"]),
        (1, ["2"]),
        ("1", ["2"]),
        (None, ["default", "2"]),
        ("3", ["default", "2"]),  # the instance of the rate, which says nothing about packages
    ],
)
async def test_a_rate_is_chosen_for_a_package_by_key_or_index(
    shopper: Storefront, package: Any, changed: list[str]
) -> None:
    body = {"rate_id": "local_pickup:3", "package_id": package}
    now = chosen(await shopper.call("POST", CHOOSE, body))
    before = {"default": "flat_rate:1", "2": "flat_rate:2"}
    assert now == before | dict.fromkeys(changed, "local_pickup:3")
    assert chosen(await shopper.call("GET", CART)) == now


@pytest.mark.parametrize(
    "body",
    [
        {"rate_id": "flat_rate:2", "package_id": "default"},
        {"rate_id": "flat_rate:1", "package_id": 1},
        {"rate_id": "local_pickup:3", "package_id": 9},
        {"rate_id": "local_pickup:3", "package_id": "nowhere"},
        {"rate_id": "local_pickup:3", "package_id": -1},
        {"rate_id": "local_pickup:3", "package_id": 2**53},
        {"rate_id": "flat_rate:5"},
    ],
)
async def test_what_a_package_is_not_offered_is_never_stored(
    shopper: Storefront, body: dict[str, Any]
) -> None:
    before = await shipping(shopper)
    refused = await shopper.call("POST", CHOOSE, body)
    assert (refused.status_code, refused.json()["code"]) == (
        404,
        "cocart_shipping_rate_not_offered",
    )
    assert await shipping(shopper) == before


@pytest.mark.parametrize("path", [f"{PREVIEW}/checkout", f"{V2}/checkout"])
@pytest.mark.parametrize(
    ("said", "now"),
    [
        ("flat_rate:4", ["flat_rate:4", "flat_rate:4"]),
        ("flat_rate:2", ["flat_rate:1", "flat_rate:2"]),
        ({"default": "local_pickup:3"}, ["local_pickup:3", "flat_rate:2"]),
        ({"2": "local_pickup:3", "0": "flat_rate:4"}, ["flat_rate:4", "local_pickup:3"]),
        (["local_pickup:3", "flat_rate:4"], ["local_pickup:3", "flat_rate:4"]),
        ([], ["flat_rate:1", "flat_rate:2"]),
        (None, ["flat_rate:1", "flat_rate:2"]),
    ],
)
async def test_checkouts_choose_for_all_or_by_package(
    shopper: Storefront, path: str, said: Any, now: list[str]
) -> None:
    updated = await shopper.call("PUT", path, {"shipping_method": said})
    assert updated.status_code == 200, updated.text
    assert list(chosen(await shopper.call("GET", CART)).values()) == now


async def test_a_choice_is_taken_back_alone(shopper: Storefront) -> None:
    await shopper.update(shipping_method="local_pickup:3")
    await shopper.update(shipping_method={"2": ""})
    assert chosen(await shopper.call("GET", CART)) == {
        "default": "local_pickup:3",
        "2": "flat_rate:2",
    }
    await shopper.update(shipping_method="")
    assert chosen(await shopper.call("GET", CART))["default"] == "flat_rate:1"


@pytest.mark.parametrize(
    "said", ["flat_rate:5", {"default": "flat_rate:2"}, {"7": "flat_rate:1"}, ["flat_rate:2"]]
)
async def test_a_checkout_refuses_what_a_package_is_not_offered(
    shopper: Storefront, said: Any
) -> None:
    before = await shipping(shopper)
    refused = await shopper.update(shipping_method=said)
    assert (refused.status_code, refused.json()["code"]) == (400, "cocart_invalid_shipping_method")
    assert await shipping(shopper) == before


async def test_forms_choose_by_package_too(shopper: Storefront) -> None:
    answer = await shopper.http.put(
        f"{PREVIEW}/checkout",
        params=shopper.keys,
        headers={"Cart-Key": shopper.cart_key},
        data={"shipping_method[0]": "local_pickup:3", "shipping_method[1]": "flat_rate:4"},
    )
    assert answer.status_code == 200, answer.text
    assert [each["chosen_method"] for each in answer.json()["shipping_packages"].values()] == [
        "local_pickup:3",
        "flat_rate:4",
    ]


async def test_a_choice_stays_with_its_goods(shopper: Storefront) -> None:
    """The sofa is the second package; alone it is the first, and keeps what was chosen for it."""
    await shopper.update(shipping_method={"2": "flat_rate:4"})
    lamp = next(
        item for item in (await shopper.call("GET", CART)).json()["items"] if item["id"] == LAMP
    )
    gone = await shopper.call("DELETE", f"{CART}/item/{lamp['item_key']}")
    assert chosen(gone) == {"default": "flat_rate:4"}


async def test_with_its_last_goods_a_package_loses_its_choice(
    shopper: Storefront, empty_database: str
) -> None:
    await shopper.update(shipping_method="local_pickup:3")
    items = (await shopper.call("GET", CART)).json()["items"]
    sofa = next(item for item in items if item["id"] == SOFA)
    await shopper.call("DELETE", f"{CART}/item/{sofa['item_key']}")
    back = await shopper.call("PUT", f"{CART}/item/{sofa['item_key']}")
    assert chosen(back) == {"default": "local_pickup:3", "2": "flat_rate:2"}


async def test_a_choice_that_no_longer_fits_is_cleared_and_said_for_each_package(
    shopper: Storefront,
) -> None:
    await shopper.update(shipping_method="local_pickup:3")
    moved = await shopper.call(
        "POST",
        f"{CART}/update",
        {"namespace": "update-customer", "country": "FR", "postcode": "75001", "city": "Paris",
         "state": ""},
    )  # fmt: skip
    said = moved.json()["notices"]["notice"]
    assert len(said) == 2
    assert said[0].startswith("Shipping: ")
    assert said[0].endswith("another one is set.")
    assert said[1].startswith("Shipping #2: ")
    assert said[1].endswith("there is no other.")
    assert chosen(moved) == {"default": "flat_rate:5", "2": ""}
    again = await shopper.call("POST", f"{CART}/calculate")
    assert not again.json()["notices"], "said once"


# --- ordering ------------------------------------------------------------------------------------


PARIS = {**BILLING, "country": "FR", "state": "", "postcode": "75001", "city": "Paris"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{PREVIEW}/checkout", "cocart_shipping_method_required"),
        (f"{V2}/checkout", "cocart_no_shipping_method"),
    ],
)
async def test_no_order_while_one_package_cannot_go(
    shopper: Storefront, path: str, code: str
) -> None:
    await shopper.update(billing_address=PARIS, payment_method="bacs")
    refused = await shopper.call("POST", path, {})
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    [problem] = refused.json()["data"]["problems"]
    assert problem["field"] == "shipping_method"
    assert problem["message"] == "Shipping #2: We do not ship to that address."


async def test_an_order_keeps_what_each_package_goes_by(
    shopper: Storefront, database: Database
) -> None:
    await shopper.update(billing_address=BILLING, payment_method="bacs")
    await shopper.update(shipping_method={"default": "local_pickup:3", "2": "flat_rate:4"})
    placed = await shopper.process()
    assert placed.status_code == 200, placed.text
    order_id, key = placed.json()["order_id"], placed.json()["order_key"]
    async with database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT code, amount, package FROM order_charges WHERE order_id = $1"
            " AND kind = 'shipping' ORDER BY position",
            order_id,
        )
        lines = {
            row["item_key"]: row["quantity"]
            for row in await connection.fetch("SELECT * FROM order_lines")
        }
    assert [(row["code"], row["amount"]) for row in rows] == [
        ("local_pickup:3", 0),
        ("flat_rate:4", 1050),
    ]
    kept = [_json(row["package"]) for row in rows]
    assert [each["id"] for each in kept] == ["class:", "class:bulky"]
    assert [each["name"] for each in kept] == ["Shipping", "Shipping #2"]
    assert {k: v for each in kept for k, v in each["items"].items()} == lines
    for namespace in (PREVIEW, V2):
        received = await shopper.call(
            "GET", f"{namespace}/order-received/{order_id}", order_key=key
        )
        rows_shown = [row for row in received.json()["totals"] if row["key"] == "shipping"]
        assert [(row["label"], row["value"]) for row in rows_shown] == [
            ("Shipping", "$0.00 via Pickup"),
            ("Shipping #2", "$10.50 via Courier"),
        ]


def _json(stored: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stored) if isinstance(stored, str) else stored
    return found


async def test_a_process_chooses_by_package(shopper: Storefront) -> None:
    await shopper.update(billing_address=BILLING, payment_method="bacs")
    placed = await shopper.process(shipping_method={"2": "flat_rate:4"})
    assert placed.status_code == 200, placed.text
    received = await shopper.call(
        "GET",
        f"{PREVIEW}/order-received/{placed.json()['order_id']}",
        order_key=placed.json()["order_key"],
    )
    assert received.json()["total"] == "535.50"


async def test_tax_is_charged_for_each_package_by_itself(
    empty_database: str, database: Database
) -> None:
    await goods(database)
    await execute(
        empty_database,
        "INSERT INTO tax_rates (country, state, rate, name, priority, tax_class)"
        " VALUES ('US', 'CA', 7.25, 'State', 1, '')",
    )
    settings = shop_settings(empty_database, shipping=BY_CLASS, tax={"enabled": True})
    async with running(settings) as shop:
        await shop.add(LAMP)
        await shop.add(SOFA)
        await shop.call("POST", f"{CART}/calculate/shipping", DUNMORE)
        await shop.call("POST", CHOOSE, {"rate_id": "flat_rate:4"})
        cart = (await shop.call("GET", CART)).json()
        rates = [p["rates"]["flat_rate:4"] for p in cart["shipping"]["packages"].values()]
        assert [rate["cost"] for rate in rates] == ["1050", "1050"]
        assert [rate["taxes"] for rate in rates] == ["76", "76"]
        assert cart["totals"]["shipping_tax"] == "152", "of each rounded, then added"
        said = (await shop.call("GET", CART, keys=shop.keys, explain="1")).json()["explanation"]
        assert [part["label"] for part in said["shipping_total"]["parts"]] == [
            "Shipping: Courier",
            "Shipping #2: Courier",
        ]
        assert [part["amount"] for part in said["shipping_tax"]["parts"]] == ["76", "76"]
        assert all(part["steps"] for part in said["shipping_tax"]["parts"])
        assert all(part["steps"] for part in said["shipping_total"]["parts"])


async def test_cash_on_delivery_must_fit_every_package(
    empty_database: str, database: Database
) -> None:
    await goods(database)
    cod = {"cod": {"enabled": True, "shipping_methods": ["flat_rate:1", "flat_rate:4"]}}
    async with running(shop_settings(empty_database, shipping=BY_CLASS, gateways=cod)) as shop:
        await shop.add(LAMP)
        await shop.update(billing_address=BILLING, payment_method="cod")
        assert "cod" in (await shop.state())["payment_methods"]
        await shop.add(SOFA)
        assert "cod" not in (await shop.state())["payment_methods"]
        refused = await shop.process()
        assert refused.json()["code"] == "cocart_invalid_payment_method"
        both = await shop.update(shipping_method="flat_rate:4")
        assert "cod" in both.json()["payment_methods"]
        assert (await shop.process()).status_code == 200


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (None, 1),
        ("flat_rate:2", 1),
        ({"default": "flat_rate:1", "2": "flat_rate:2"}, 1),
        ({"2": "flat_rate:4"}, 2),
        ("flat_rate:4", 2),
    ],
)
async def test_a_payment_that_waits_is_continued_when_the_packages_go_the_same_way(
    empty_database: str, database: Database, said: Any, asked: int
) -> None:
    await goods(database)
    gateway = ScriptedGateway()
    gateway.script = [NeedsAction("https://bank.example/3ds", "confirm", {}, "pi_1")]
    settings = shop_settings(empty_database, shipping=BY_CLASS)
    async with running(settings, gateways={"card": gateway}) as shop:
        await shop.add(LAMP)
        await shop.add(SOFA)
        await shop.update(billing_address=BILLING, payment_method="card")
        first = (await shop.process()).json()
        assert first["payment_result"]["payment_status"] == "requires_action"
        body = {} if said is None else {"shipping_method": said}
        again = await shop.process(**body)
        assert again.status_code == 200, again.text
        assert again.json()["payment_result"]["payment_status"] == "success"
        assert len(set(gateway.asked)) == asked


# --- what it costs -------------------------------------------------------------------------------


async def test_packages_cost_no_statement(shopper: Storefront) -> None:
    reads = (CART, f"{PREVIEW}/checkout", f"{V2}/checkout")
    for path in reads:
        await shopper.call("GET", path)
        shopper.statements.clear()
        assert (await shopper.call("GET", path)).status_code == 200
        assert sql_count(shopper.statements) == 1
    for method, path, body in (
        ("POST", CHOOSE, {"rate_id": "local_pickup:3", "package_id": "2"}),
        ("PUT", f"{PREVIEW}/checkout", {"shipping_method": {"2": "flat_rate:4"}}),
        ("PUT", f"{V2}/checkout", {"shipping_method": "flat_rate:4"}),
        ("POST", f"{CART}/add-item", {"id": str(LAMP)}),
    ):
        shopper.statements.clear()
        assert (await shopper.call(method, path, body)).status_code == 200
        assert sql_count(shopper.statements) <= 2, "\n".join(shopper.statements)
    for _ in range(2):  # the first lets asyncpg ask about types
        other = shopper.another()
        await other.add(LAMP)
        await other.add(SOFA)
        await other.update(billing_address=BILLING, payment_method="bacs")
        shopper.statements.clear()
        assert (await other.process(shipping_method="flat_rate:4")).status_code == 200
    assert sql_count(shopper.statements) <= 14, "\n".join(shopper.statements)


# --- ways to split that others bring -------------------------------------------------------------

CRATES = """
from checkstand.errors import ConfigurationError
from checkstand.shipping.packing import Box


def crates(options):
    if not options.get("size", "").isdigit():
        raise ConfigurationError("size is a number")
    size = int(options["size"])

    def split(goods):
        boxes = []
        for each in goods:
            left = each.quantity
            while left:
                units = min(size, left)
                boxes.append(Box(f"{each.key} {len(boxes)}", {each.key: units}, f"Crate {units}"))
                left -= units
        return boxes

    return split


def leaky(options):
    return lambda goods: [Box("some", {goods[0].key: 1})]


def unmade(options):
    raise KeyError("size")
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "acme_crates.py").write_text(CRATES)
    about = tmp_path / "acme_crates-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-crates\nVersion: 1.0\n")
    names = [f"{name} = acme_crates:{name}" for name in ("crates", "leaky", "unmade")]
    (about / "entry_points.txt").write_text(
        "\n".join(["[checkstand.package_splitters]", *names, ""])
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("acme_crates", None)


@pytest.mark.usefixtures("acme")
async def test_a_way_to_split_by_entry_point(empty_database: str, database: Database) -> None:
    await goods(database)
    chosen_way = {"zones": ZONES, "split": "crates", "split_options": {"size": "2"}}
    async with running(shop_settings(empty_database, shipping=chosen_way)) as shop:
        await shop.add(LAMP, 5)
        await shop.update(billing_address=BILLING, payment_method="bacs")
        found = await shipping(shop)
        packages = found["packages"]
        assert list(packages) == ["default", "2", "3"]
        assert [each["package_name"] for each in packages.values()] == [
            "Crate 2", "Crate 2", "Crate 1",
        ]  # fmt: skip
        assert [each["package_details"] for each in packages.values()] == [
            "Lamp × 2", "Lamp × 2", "Lamp × 1",
        ]  # fmt: skip
        state = await shop.state()
        assert state["cart_totals"]["shipping_total"] == "15.00"
        assert [sum(each["items"].values()) for each in state["shipping_packages"].values()] == [
            2, 2, 1,
        ]  # fmt: skip
        rates = await shop.http.get(f"{V2}/products/{LAMP}/shipping-rates?quantity=3")
        texts = [
            each["rates"]["flat_rate:1"]["meta_data"]["items"]
            for each in rates.json()["packages"].values()
        ]
        assert texts == ["Lamp × 2", "Lamp × 1"]
        assert (await shop.process()).status_code == 200


@pytest.mark.usefixtures("acme")
async def test_a_way_that_loses_goods_prices_nothing(
    empty_database: str, database: Database
) -> None:
    await goods(database)
    async with running(shop_settings(empty_database, shipping={"split": "leaky"})) as shop:
        broken = await shop.add(LAMP, 2)
        assert broken.status_code == 500
        assert (await shop.call("GET", f"{V2}/products")).status_code == 200


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"split": "nobody"}, "there are none, shipping_class, crates, leaky, unmade"),
        ({"split": "none", "split_options": {"size": "2"}}, "takes none"),
        ({"split": "crates", "split_options": {"size": "many"}}, "size is a number"),
        ({"split": "unmade"}, r"cannot make it \(KeyError\)"),
    ],
)
def test_ways_that_cannot_be_had(section: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        splitter_of(shop_settings("postgresql://nowhere", shipping=section))
