"""The route of a product's shipping rates (contract v2-products-store-sessions.md 9)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from checkstand.cart.verbs import MAX_QUANTITY
from checkstand.customers import addresses
from checkstand.http.answers import answer, empty_as_list
from checkstand.http.cocart.v2.parameters import LONGEST, MOST, Parameter, documented, invalid, read
from checkstand.http.describe import READING, errors
from checkstand.http.display import CurrencyFormat, currency_format
from checkstand.http.requests import JSON_ROUTES, visit
from checkstand.pricing.quote import Package, QuotedRate

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["products v2"], **JSON_ROUTES)

_QUANTITY = Parameter("quantity", "integer", "How many.", 1, most=MAX_QUANTITY)
_NAMED = re.compile(r"(variation|item_data)\[([^\[\]]{1,100})\]")


class ProductRate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: str
    method_id: str
    instance_id: int
    label: str
    cost: str
    html: str
    taxes: str
    meta_data: dict[str, str]


class ProductPackage(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rates: dict[str, ProductRate] | list[Any]
    formatted_destination: str


class ProductRatesOut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    item_key: str = ""
    id: int = 0
    parent_id: int = 0
    name: str = ""
    type: str = ""
    item_match: bool = True
    packages: dict[str, ProductPackage] | list[Any] = []


@router.get(
    "/products/{reference}/shipping-rates",
    response_model=ProductRatesOut,
    responses=errors(*READING, 404),
    openapi_extra=documented(_QUANTITY),
)
async def read_product_rates(
    reference: Annotated[
        str,
        Path(
            min_length=1, max_length=200, description="An ID of a product or variation, or a SKU."
        ),
    ],
    request: Request,
) -> Response:
    """What shipping a product would cost, to the signed-in customer or else to the store's place.
    `variation[attribute_…]` and `item_data[…]` in the query say which one."""
    caller, shop = await visit(request)
    quantity: int = read(request, [_QUANTITY])["quantity"]
    given = _named(request)
    product, seen = await shop.carriage.rates(
        caller, reference, quantity, given["variation"], given["item_data"]
    )
    writing = currency_format(seen.quote.currency, shop.profile.language)
    destination = addresses.formatted_destination(
        seen.cart.destination, home=shop.rules.place.country
    )
    packages = {
        str(number): _package(package, product.name, destination, writing)
        for number, package in enumerate(seen.quote.packages, start=1)
    }
    line = seen.cart.lines[0]
    body = {
        "item_key": line.key,
        "id": product.id,
        "parent_id": product.parent_id,
        "name": product.name,
        "type": product.type.value,
        "item_match": True,
        "packages": empty_as_list(packages),
    }
    return answer(request, body)


def _named(request: Request) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"variation": {}, "item_data": {}}
    for key, value in request.query_params.multi_items():
        name = _NAMED.fullmatch(key)
        if name is None:
            continue
        if len(value) > LONGEST or "\0" in key + value:
            raise invalid({name[1]: f"has an entry of more than {LONGEST} characters, or a NUL"})
        found[name[1]][name[2]] = value
    for part, entries in found.items():
        if len(entries) > MOST:
            raise invalid({part: f"has more than {MOST} entries"})
    return found


def _package(
    package: Package, name: str, destination: str, writing: CurrencyFormat
) -> dict[str, Any]:
    text = f"{name} × {sum(package.contents.values())}"
    return {
        "rates": empty_as_list({rate.key: _rate(rate, text, writing) for rate in package.rates}),
        "formatted_destination": destination,
    }


def _rate(rate: QuotedRate, text: str, writing: CurrencyFormat) -> dict[str, Any]:
    return {
        "key": rate.key,
        "method_id": rate.method_id,
        "instance_id": rate.instance_id,
        "label": rate.label,
        "cost": str(rate.cost.minor),
        "html": f"{rate.label}: {writing.show(rate.cost)}",
        "taxes": str(rate.tax.minor) if rate.tax else "",
        "meta_data": {"items": text},
    }
