"""The routes of the v2 cart's items (contract cart.md 3 to 6)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from checkstand.access.principal import Caller
from checkstand.cart.choosing import AddItem, Switch
from checkstand.cart.view import CartView
from checkstand.errors import (
    ItemKeyRequired,
    NoItemsInCart,
    ParameterInvalid,
    ParameterMissing,
)
from checkstand.http.cocart.v2 import present
from checkstand.http.cocart.v2.replies import (
    ItemKey,
    as_cart,
    handled_quantity,
    respond,
    say_of,
    thumb_wanted,
)
from checkstand.http.cocart.v2.schemas import (
    AddItemIn,
    AddItemsIn,
    CartOut,
    ItemOut,
    QuantityStatus,
    RemoveItemIn,
    RestoreItemIn,
    UpdateItemIn,
    whole,
)
from checkstand.http.describe import READING, WRITING, errors
from checkstand.http.requests import JSON_ROUTES, ticket, visit
from checkstand.wiring import Shop

router = APIRouter(prefix="/wp-json/cocart/v2", tags=["cart v2"], **JSON_ROUTES)


@router.post(
    "/cart/add-item", response_model=CartOut | ItemOut, responses=errors(*WRITING, 404, 405)
)
async def add_item(
    body: AddItemIn,
    request: Request,
) -> Response:
    """One product into the cart; identical ones add up in one line."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    price = "" if body.price is None else str(body.price)
    item = AddItem(body.id, whole(body.quantity), body.variation, body.item_data, price)

    def render(seen: CartView) -> Any:
        if not body.return_item:
            return whole_cart(seen)
        return _item_of(request, seen, shop, seen.touched[0])

    once = await ticket(request, "add item", render)
    seen = await shop.items.add(caller, [item], _contact(body), once)
    return respond(request, seen, render(seen))


@router.post(
    "/cart/add-items",
    response_model=CartOut | list[ItemOut],
    responses=errors(*WRITING, 404, 405),
)
async def add_items(
    body: AddItemsIn,
    request: Request,
) -> Response:
    """Several products, all or none: a list of items, or the products of a grouped one."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    if body.items is None and body.id is None:
        raise ParameterMissing(
            "Send `items`, or the `id` of a grouped product with a `quantity` for each of its "
            "products.",
            data={"params": ["items"]},
        )

    def render(seen: CartView) -> Any:
        if not body.return_items:
            return whole_cart(seen)
        return [_item_of(request, seen, shop, key) for key in seen.touched]

    once = await ticket(request, "add items", render)
    if body.items is not None:
        items = [
            AddItem(each.id, whole(each.quantity), each.variation, each.item_data)
            for each in body.items
        ]
        if not items:
            raise ParameterInvalid("`items` is empty.", data={"params": {"items": "is empty"}})
        seen = await shop.items.add(caller, items, _contact(body), once)
    else:
        wanted = {child: whole(count) for child, count in (body.quantity or {}).items()}
        seen = await shop.items.add_group(caller, body.id or "", wanted, _contact(body), once)
    return respond(request, seen, render(seen))


def _contact(body: AddItemIn | AddItemsIn) -> dict[str, str]:
    given = {"email": body.email, "phone": body.phone}
    return {part: value for part, value in given.items() if value}


def _item_of(request: Request, seen: CartView, shop: Shop, key: str) -> dict[str, Any]:
    line = seen.cart.line(key)
    assert line is not None, "an item that was just added is in the cart"
    say = say_of(request, seen, shop)
    return present.item(seen, line, thumb=thumb_wanted(request), say=say)


@router.get("/cart/items", response_model=dict[str, ItemOut], responses=errors(*READING, 404))
async def read_items(
    request: Request,
) -> Response:
    """The items by their keys; 404 when there are none."""
    caller, shop = await visit(request)
    seen = await shop.carts.read(caller)
    if not seen.cart.lines:
        raise NoItemsInCart
    thumb, say = thumb_wanted(request), say_of(request, seen, shop)
    return respond(request, seen, present.items_by_key(seen, thumb=thumb, say=say))


@router.delete("/cart/items", response_model=CartOut, responses=errors(*WRITING))
async def remove_items(request: Request) -> Response:
    """Every item out of the cart; they can be restored."""
    caller, shop = await visit(request)
    render = as_cart(request, shop)
    once = await ticket(request, "remove items", render)
    seen = await shop.items.remove_all(caller, once)
    return respond(request, seen, render(seen))


@router.get("/cart/count-items", response_model=int, include_in_schema=False)
@router.get("/cart/items/count", response_model=int, responses=errors(*READING, 404))
async def count_items(
    request: Request,
    removed_items: Annotated[bool, Query(description="Count the removed items instead.")] = False,
    wanted: Annotated[
        str,
        Query(
            alias="return",
            max_length=50,
            description="`numeric`; with anything else, no items are 404 instead of 0.",
        ),
    ] = "numeric",
) -> Response:
    """How many units are in the cart."""
    caller, shop = await visit(request)
    seen = await shop.carts.read(caller)
    lines = seen.cart.removed if removed_items else seen.cart.lines
    if not lines and wanted != "numeric":
        raise NoItemsInCart
    return respond(request, seen, sum(line.quantity for line in lines))


@router.get("/cart/item/{item_key}", response_model=ItemOut, responses=errors(*READING, 404))
async def read_item(
    item_key: ItemKey,
    request: Request,
) -> Response:
    """One item."""
    caller, shop = await visit(request)
    seen, line = await shop.carts.item(caller, _named(item_key))
    return respond(request, seen, _item_of(request, seen, shop, line.key))


@router.post(
    "/cart/item/{item_key}",
    response_model=CartOut | QuantityStatus,
    responses=errors(*WRITING, 404, 405),
)
async def update_item(
    item_key: ItemKey,
    body: UpdateItemIn,
    request: Request,
) -> Response:
    """Another quantity, 0 takes the item out; with `id`, `variation` or `item_data` also another
    variation or other data."""
    caller, shop = await visit(request)
    quantity = handled_quantity(body.quantity)
    switch = Switch(body.id, body.variation, body.item_data)
    return await _update(request, caller, shop, item_key, quantity, body.return_status, switch)


@router.post("/cart/item/{item_key}/restore", response_model=CartOut, include_in_schema=False)
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
    body: RestoreItemIn | None = None,
    return_item: Annotated[bool, Query(description="Answer with the item.")] = False,
) -> Response:
    """A removed item back as it was; with a `quantity`, an update (for older clients)."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    key = _named(item_key)
    if body is not None and body.quantity is not None:
        quantity = handled_quantity(body.quantity)
        return await _update(request, caller, shop, key, quantity, with_status=False)
    only_item = return_item or (body is not None and body.return_item)

    def render(seen: CartView) -> Any:
        return _item_of(request, seen, shop, key) if only_item else whole_cart(seen)

    once = await ticket(request, f"restore {key}", render)
    seen = await shop.items.restore(caller, key, once)
    return respond(request, seen, render(seen))


@router.delete(
    "/cart/item/{item_key}", response_model=CartOut | str, responses=errors(*WRITING, 404)
)
async def remove_item(
    item_key: ItemKey,
    request: Request,
    body: RemoveItemIn | None = None,
    return_status: Annotated[bool, Query(description="Answer with a text only.")] = False,
) -> Response:
    """An item out of the cart; it can be restored until the cart is cleared."""
    caller, shop = await visit(request)
    whole_cart = as_cart(request, shop)
    key = _named(item_key)
    only_text = return_status or (body is not None and body.return_status)

    def render(seen: CartView) -> Any:
        text = seen.notices["success"][0]
        return text if only_text else whole_cart(seen)

    once = await ticket(request, f"remove {key}", render)
    seen = await shop.items.remove(caller, key, once)
    return respond(request, seen, render(seen))


async def _update(
    request: Request,
    caller: Caller,
    shop: Shop,
    item_key: str,
    quantity: int,
    with_status: bool,
    switch: Switch = Switch(),
) -> Response:
    key = _named(item_key)
    whole_cart = as_cart(request, shop)
    before = (await shop.carts.read(caller)).cart.line(key) if with_status else None
    held = before.quantity if before else 0

    def render(seen: CartView) -> Any:
        if not with_status:
            return whole_cart(seen)
        how = "unchanged" if quantity == held else "increased" if quantity > held else "decreased"
        return {"message": f"The quantity is {how}.", "quantity": quantity}

    once = await ticket(request, f"update {key}", render)
    seen = await shop.items.switch(caller, key, quantity, switch, once)
    return respond(request, seen, render(seen))


def _named(item_key: str) -> str:
    if item_key == "0":
        raise ItemKeyRequired
    return item_key
