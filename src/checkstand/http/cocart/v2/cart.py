"""The routes of the v2 cart (contract cart.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

import checkstand
from checkstand.cart.choosing import AddItem
from checkstand.cart.view import CartView
from checkstand.errors import (
    ItemKeyRequired,
    NamespaceRequired,
    NamespaceUnknown,
    NoItemsInCart,
    ParameterInvalid,
    ParameterMissing,
    QuantityNotNumeric,
)
from checkstand.http.answers import PRIVATE, answer, dump
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.customer import customer_changes, quantities
from checkstand.http.cocart.v2.schemas import (
    AddItemIn,
    AddItemsIn,
    CalculateIn,
    CartCreated,
    CartOut,
    ClearIn,
    EngineTotals,
    ItemOut,
    QuantityStatus,
    RemoveItemIn,
    RestoreItemIn,
    TotalsOut,
    UpdateCartIn,
    UpdateItemIn,
    _numeric,
    whole,
)
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.display import currency_format
from checkstand.http.requests import CallerDep, JsonRoute, ShopDep, ticket

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], route_class=JsonRoute)

ItemKey = Annotated[str, Path(pattern=r"^[\w-]+$", max_length=64, description="The item's key.")]
CartKeyQuery = Annotated[
    str | None, Query(description="The cart key; the Cart-Key header wins over it.")
]
Thumb = Annotated[bool, Query(description="false: no image addresses.")]
Fields = Annotated[
    str, Query(max_length=500, description="Members to build: `currency,totals:subtotal-total`.")
]

Render = Callable[[CartView], Any]


def _headers(seen: CartView, hours_before: int = 1) -> dict[str, str]:
    """Cart key and expiry in both spellings (contract README 6.2); none without a cart."""
    now = str(int(time.time()))
    headers = {
        **PRIVATE,
        "Timestamp": now,
        "CoCart-Timestamp": now,
        "CoCart-Version": checkstand.__version__,
    }
    if seen.cart.version:
        expires = int(seen.cart.expires_at.timestamp())
        for name, value in (
            ("Key", seen.cart.key),
            ("Expiring", str(expires - hours_before * 3600)),
            ("Expiration", str(expires)),
        ):
            headers[f"Cart-{name}"] = headers[f"CoCart-API-Cart-{name}"] = value
    return headers


def _respond(request: Request, seen: CartView, body: Any) -> Response:
    return answer(request, body, _headers(seen))


def _as_cart(request: Request, shop: ShopDep) -> Render:
    """How this request wants its cart."""
    query = request.query_params
    thumb = query.get("thumb", "").lower() not in ("false", "0")
    fields = query.get("fields", "")
    return lambda seen: present.cart(seen, shop.profile.language, thumb=thumb, fields=fields)


def _stored(render: Render) -> Callable[[CartView], str]:
    return lambda seen: dump(render(seen)).decode()


@router.get("/cart", response_model=CartOut, responses=errors(*READING))
async def read_cart(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
    thumb: Thumb = True,
    fields: Fields = "",
) -> Response:
    """The cart; an empty one when there is none. Reading never makes a cart."""
    seen = await shop.carts.read(caller)
    return _respond(request, seen, _as_cart(request, shop)(seen))


@router.post("/cart", response_model=CartCreated, responses=errors(*WRITING))
async def create_cart(request: Request, caller: CallerDep, shop: ShopDep) -> Response:
    """A new, empty guest cart, to have a key before adding anything."""

    def render(seen: CartView) -> dict[str, Any]:
        return {"message": "Here is your cart key.", "cart_key": seen.cart.key}

    once = await ticket(request, caller, "create cart", _stored(render))
    seen = await shop.carts.create(caller, once)
    return _respond(request, seen, render(seen))


@router.post(
    "/cart/add-item", response_model=CartOut | ItemOut, responses=errors(*WRITING, 404, 405)
)
async def add_item(
    body: AddItemIn,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
) -> Response:
    """One product into the cart; identical ones add up in one line."""
    item = AddItem(body.id, whole(body.quantity), body.variation, body.item_data)
    keys: list[str] = []

    def render(seen: CartView) -> Any:
        if not body.return_item:
            return _as_cart(request, shop)(seen)
        return _item_of(seen, keys[0] if keys else seen.cart.lines[-1].key)

    once = await ticket(request, caller, "add item", _stored(render))
    seen, keys[:] = await shop.carts.add_items(caller, [item], _contact(body), once)
    return _respond(request, seen, render(seen))


@router.post(
    "/cart/add-items",
    response_model=CartOut | list[ItemOut],
    responses=errors(*WRITING, 404, 405),
)
async def add_items(
    body: AddItemsIn,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
) -> Response:
    """Several products, all or none: a list of items, or the products of a grouped one."""
    if body.items is None and body.id is None:
        raise ParameterMissing(
            "Send `items`, or the `id` of a grouped product with a `quantity` for each of its "
            "products.",
            data={"params": ["items"]},
        )
    keys: list[str] = []

    def render(seen: CartView) -> Any:
        if not body.return_items:
            return _as_cart(request, shop)(seen)
        return [_item_of(seen, key) for key in keys or [line.key for line in seen.cart.lines]]

    once = await ticket(request, caller, "add items", _stored(render))
    if body.items is not None:
        items = [
            AddItem(each.id, whole(each.quantity), each.variation, each.item_data)
            for each in body.items
        ]
        if not items:
            raise ParameterInvalid("`items` is empty.", data={"params": {"items": "is empty"}})
        seen, keys[:] = await shop.carts.add_items(caller, items, _contact(body), once)
    else:
        wanted = {child: whole(count) for child, count in (body.quantity or {}).items()}
        seen, keys[:] = await shop.carts.add_group(
            caller, body.id or "", wanted, _contact(body), once
        )
    return _respond(request, seen, render(seen))


def _contact(body: AddItemIn | AddItemsIn) -> dict[str, str]:
    given = {"email": body.email, "phone": body.phone}
    return {part: value for part, value in given.items() if value}


def _item_of(seen: CartView, key: str) -> dict[str, Any]:
    line = seen.cart.line(key)
    assert line is not None, "an item that was just added is in the cart"
    return present.item(seen, line)


@router.get("/cart/items", response_model=dict[str, ItemOut], responses=errors(*READING, 404))
async def read_items(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
    thumb: Thumb = True,
) -> Response:
    """The items by their keys; 404 when there are none."""
    seen = await shop.carts.read(caller)
    if not seen.cart.lines:
        raise NoItemsInCart
    return _respond(request, seen, present.items_by_key(seen, thumb=thumb))


@router.delete("/cart/items", response_model=CartOut, responses=errors(*WRITING))
async def remove_items(
    request: Request, caller: CallerDep, shop: ShopDep, cart_key: CartKeyQuery = None
) -> Response:
    """Every item out of the cart; they can be restored."""
    render = _as_cart(request, shop)
    once = await ticket(request, caller, "remove items", _stored(render))
    seen = await shop.carts.remove_all(caller, once)
    return _respond(request, seen, render(seen))


@router.get("/cart/items/count", response_model=int, responses=errors(*READING))
async def count_items(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
    removed_items: Annotated[bool, Query(description="Count the removed items instead.")] = False,
) -> Response:
    """How many units are in the cart."""
    seen = await shop.carts.read(caller)
    lines = seen.cart.removed if removed_items else seen.cart.lines
    return _respond(request, seen, sum(line.quantity for line in lines))


@router.get("/cart/item/{item_key}", response_model=ItemOut, responses=errors(*READING, 404))
async def read_item(
    item_key: ItemKey,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
    thumb: Thumb = True,
) -> Response:
    """One item."""
    seen, line = await shop.carts.item(caller, _named(item_key))
    return _respond(request, seen, present.item(seen, line, thumb=thumb))


@router.post(
    "/cart/item/{item_key}",
    response_model=CartOut | QuantityStatus,
    responses=errors(*WRITING, 404, 405),
)
async def update_item(
    item_key: ItemKey,
    body: UpdateItemIn,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
) -> Response:
    """Another quantity; 0 takes the item out."""
    quantity = _handled_quantity(body.quantity)
    return await _set_quantity(request, caller, shop, item_key, quantity, body.return_status)


@router.put(
    "/cart/item/{item_key}",
    response_model=CartOut | ItemOut,
    responses=errors(*WRITING, 404, 405),
)
@router.patch(
    "/cart/item/{item_key}",
    response_model=CartOut | ItemOut,
    responses=errors(*WRITING, 404, 405),
)
async def restore_item(
    item_key: ItemKey,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    body: RestoreItemIn | None = None,
    cart_key: CartKeyQuery = None,
    return_item: Annotated[bool, Query(description="Answer with the item.")] = False,
) -> Response:
    """A removed item back as it was; with a `quantity`, an update (for older clients)."""
    key = _named(item_key)
    if body is not None and body.quantity is not None:
        quantity = _handled_quantity(body.quantity)
        return await _set_quantity(request, caller, shop, key, quantity, with_status=False)
    only_item = return_item or (body is not None and body.return_item)

    def render(seen: CartView) -> Any:
        return _item_of(seen, key) if only_item else _as_cart(request, shop)(seen)

    once = await ticket(request, caller, f"restore {key}", _stored(render))
    seen = await shop.carts.restore(caller, key, once)
    return _respond(request, seen, render(seen))


@router.delete(
    "/cart/item/{item_key}", response_model=CartOut | str, responses=errors(*WRITING, 404)
)
async def remove_item(
    item_key: ItemKey,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    body: RemoveItemIn | None = None,
    cart_key: CartKeyQuery = None,
    return_status: Annotated[bool, Query(description="Answer with a text only.")] = False,
) -> Response:
    """An item out of the cart; it can be restored until the cart is cleared."""
    key = _named(item_key)
    only_text = return_status or (body is not None and body.return_status)

    def render(seen: CartView) -> Any:
        text = seen.notices["success"][0]
        return text if only_text else _as_cart(request, shop)(seen)

    once = await ticket(request, caller, f"remove {key}", _stored(render))
    seen = await shop.carts.remove(caller, key, once)
    return _respond(request, seen, render(seen))


@router.get("/cart/totals", response_model=EngineTotals, responses=errors(*READING, 404))
async def read_totals(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
    html: Annotated[bool, Query(description="Amounts as display text.")] = False,
) -> Response:
    """All totals in major units."""
    seen = await shop.carts.totals(caller)
    writing = currency_format(seen.quote.currency, shop.profile.language) if html else None
    return _respond(request, seen, present.engine_totals(seen.quote, writing))


@router.post("/cart/calculate", response_model=CartOut | TotalsOut, responses=errors(*WRITING))
async def calculate(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    body: CalculateIn | None = None,
    cart_key: CartKeyQuery = None,
) -> Response:
    """The totals worked out again."""
    only_totals = body is not None and body.return_totals

    def render(seen: CartView) -> Any:
        return present.totals(seen.quote) if only_totals else _as_cart(request, shop)(seen)

    once = await ticket(request, caller, "calculate", _stored(render))
    seen = await shop.carts.calculate(caller, once)
    return _respond(request, seen, render(seen))


@router.post("/cart/clear", response_model=CartOut, responses=errors(*WRITING))
async def clear_cart(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    body: ClearIn | None = None,
    cart_key: CartKeyQuery = None,
) -> Response:
    """Everything out, for good; removed items too unless they are to be kept."""
    keep = body is not None and body.keep_removed_items
    render = _as_cart(request, shop)
    once = await ticket(request, caller, "clear", _stored(render))
    seen = await shop.carts.clear(caller, keep_removed=keep, ticket=once)
    return _respond(request, seen, render(seen))


@router.post("/cart/update", response_model=CartOut, responses=errors(*WRITING, 404, 405))
async def update_cart(
    body: UpdateCartIn,
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    cart_key: CartKeyQuery = None,
) -> Response:
    """Quantities (`update-cart`) or address parts (`update-customer`)."""
    given: Mapping[str, Any] = body.model_extra or {}
    render = _as_cart(request, shop)
    namespace = body.namespace or _guessed(given)
    once = await ticket(request, caller, namespace, _stored(render))
    if namespace == "update-cart":
        wanted = {key: _handled_quantity(value) for key, value in quantities(given).items()}
        seen = await shop.carts.set_quantities(caller, wanted, once)
    elif namespace == "update-customer":
        billing, shipping = customer_changes(given)
        seen = await shop.carts.update_customer(caller, billing, shipping, once)
    else:
        raise NamespaceUnknown
    return _respond(request, seen, render(seen))


def _guessed(given: Mapping[str, Any]) -> str:
    """The namespace of clients that send none (contract cart.md 7)."""
    if "items" in given or "quantity" in given:
        return "update-cart"
    if any(key.startswith(("billing_", "shipping_")) for key in given):
        return "update-customer"
    raise NamespaceRequired


async def _set_quantity(
    request: Request,
    caller: CallerDep,
    shop: ShopDep,
    item_key: str,
    quantity: int,
    with_status: bool,
) -> Response:
    key = _named(item_key)
    before = (await shop.carts.read(caller)).cart.line(key) if with_status else None
    held = before.quantity if before else 0

    def render(seen: CartView) -> Any:
        if not with_status:
            return _as_cart(request, shop)(seen)
        how = "unchanged" if quantity == held else "increased" if quantity > held else "decreased"
        return {"message": f"The quantity is {how}.", "quantity": quantity}

    once = await ticket(request, caller, f"update {key}", _stored(render))
    seen = await shop.carts.set_quantity(caller, key, quantity, once)
    return _respond(request, seen, render(seen))


def _named(item_key: str) -> str:
    if item_key == "0":
        raise ItemKeyRequired
    return item_key


def _handled_quantity(value: Any) -> int:
    """A quantity where what is not a number is the handler's refusal, 405 (contract cart.md 5)."""
    try:
        return whole(_numeric(value))
    except ValueError:
        raise QuantityNotNumeric from None
