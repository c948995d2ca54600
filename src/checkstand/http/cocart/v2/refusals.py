"""The refusals of checkout and orders under the codes of v2 (contract v2-checkout.md 3.5, 6, 7).

The class is the fact, and preview says the same facts under other codes. What is not in the tables
goes by its own code and status.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from checkstand.errors import (
    CheckoutInvalid,
    EmptyCart,
    LinesGone,
    LinesNotForSale,
    NothingLeft,
    NothingToPay,
    OrderKeyWrong,
    OrderNotPayable,
    OrderNotYours,
    ParameterMissing,
    PaymentMethodNotOffered,
    PaymentMethodOff,
    Problem,
    Refusal,
    SoldOut,
    TotalsChanged,
)
from checkstand.http.problems import refusal_response
from checkstand.http.requests import JsonRoute, shop_of
from checkstand.kit.money import Money

CODES: Mapping[type[Refusal], str] = {
    EmptyCart: "cocart_cant_checkout_empty_cart",
    NothingLeft: "cocart_product_not_exists",
    LinesGone: "cocart_product_not_exists",
    LinesNotForSale: "cocart_product_not_purchasable",
    SoldOut: "cocart_product_out_of_stock",
    PaymentMethodOff: "cocart_payment_method_disabled",
    PaymentMethodNotOffered: "cocart_payment_method_not_available",
    ParameterMissing: "cocart_order_invalid_params",
    OrderKeyWrong: "cocart_order_invalid_key",
    OrderNotYours: "cocart_order_not_owned",
    OrderNotPayable: "cocart_order_invalid_status",
    NothingToPay: "cocart_order_no_payment_needed",
}
STATUSES: Mapping[type[Refusal], int] = {LinesGone: 400, LinesNotForSale: 400}
PROBLEM_CODES: Mapping[str, str] = {
    "cocart_shipping_method_required": "cocart_no_shipping_method",
    "cocart_payment_method_required": "cocart_invalid_payment_method",
    "cocart_coupon_not_exist": "cocart_invalid_coupon",
    "cocart_cart_coupon_invalid_code": "cocart_invalid_coupon",
    "cocart_invalid_billing_state": "cocart_invalid_address_fields",
    "cocart_invalid_shipping_state": "cocart_invalid_address_fields",
}
_REQUIRED = "cocart_address_field_required"
_MALFORMED = "cocart_invalid_address_fields"


class V2CheckoutRoute(JsonRoute):
    """A JSON route whose refusals are said as v2 says them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_v2(request: Request) -> Response:
            try:
                return await handle(request)
            except CheckoutInvalid as refusal:
                return _invalid(refusal, processing=request.method == "POST")
            except TotalsChanged as refusal:
                return _refused(refusal, _in_minor(request, refusal))
            except Refusal as refusal:
                return _refused(refusal)

        return handle_v2


def _refused(refusal: Refusal, data: Mapping[str, Any] | None = None) -> Response:
    lineage = type(refusal).__mro__
    code = next((CODES[each] for each in lineage if each in CODES), refusal.code)
    status = STATUSES.get(type(refusal), refusal.status)
    return refusal_response(refusal, code=code, status=status, data=data)


def _invalid(refusal: CheckoutInvalid, *, processing: bool) -> Response:
    """Addresses come first, then shipping, then payment (3.2). Several faults of an address, or
    any on an update, go by the code for all of them; a single one when ordering by its own."""
    named = [(problem, problem_code(problem)) for problem in refusal.problems]
    about_address = [code for problem, code in named if _of_address(problem)]
    malformed = [code for code in about_address if code != _REQUIRED]
    if not about_address:
        code = named[0][1]
    elif not malformed:
        code = _REQUIRED
    else:
        code = malformed[0] if processing and len(malformed) == 1 else _MALFORMED
    problems = [{**problem.as_json(), "code": said} for problem, said in named]
    return refusal_response(refusal, code=code, data={**refusal.data, "problems": problems})


def problem_code(problem: Problem) -> str:
    """The code of one problem in v2."""
    if problem.cause is not None and problem.cause in CODES:
        return CODES[problem.cause]
    return PROBLEM_CODES.get(problem.code, problem.code)


def _of_address(problem: Problem) -> bool:
    return problem.field.partition(".")[0] in ("billing_address", "shipping_address")


def _in_minor(request: Request, refusal: TotalsChanged) -> dict[str, Any]:
    """The data of a total that changed, with its amounts as v2 writes amounts."""
    rules, data = shop_of(request).rules, refusal.data
    now = rules.known_currency(data["currency"])
    before = rules.known_currency(data["previous_currency"])
    return {
        **data,
        "previous_total": str(Money.of(data["previous_total"], before).minor),
        "total": str(Money.of(data["total"], now).minor),
        "cart_totals": {
            name: str(Money.of(amount, now).minor) for name, amount in data["cart_totals"].items()
        },
    }
