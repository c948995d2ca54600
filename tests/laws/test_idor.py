"""Nobody gets at what is another's: the matrix of `tests.idor`, cell by cell."""

from __future__ import annotations

from tests.idor import ADMIN, ATTACKERS, JWT, explore
from tests.makers import PREVIEW, V2

ME, MINE = f"{V2}/my-account", f"{PREVIEW}/my-account"
_Row = tuple[str, ...]


def everybody(answer: str) -> _Row:
    return (answer,) * len(ATTACKERS)


# nobody, other guest, other customer, wrong order key, read-only key, customer as admin
OWN_CART = ("403/own",) * 6
NO_SUCH_ITEM = everybody("403/404")
EMPTY_FOR_NOBODY = ("403/404", *OWN_CART[1:])
READS_CHECKOUT = ("401", "403/own", "403/own", "403/own", "403/own", "403/own")
CHANGES_CHECKOUT = ("401", "403/own", "403/own", "403/own", "403", "403/own")
OWN_ACCOUNT = ("403", "403", "own", "403", "403", "own")
WRONG_PASSWORD = ("403", "403", "400", "403", "403", "400")
CALLS_OFF = ("403", "403", "404", "403", "403", "404")

ACTIONS = ("suspend", "cancel", "reactivate", "resubscribe", "auto-renew", "payment-method")
OLDER_ACTIONS = ("on-hold", "renew-enable", "renew-disable")
EXPECTED: dict[tuple[str, str], _Row] = {
    ("GET", f"{PREVIEW}/checkout"): READS_CHECKOUT,
    ("PUT", f"{PREVIEW}/checkout"): CHANGES_CHECKOUT,
    ("POST", f"{PREVIEW}/checkout"): CHANGES_CHECKOUT,
    ("PATCH", f"{PREVIEW}/checkout"): CHANGES_CHECKOUT,
    ("GET", f"{PREVIEW}/checkout/payment-methods"): READS_CHECKOUT,
    ("POST", f"{PREVIEW}/checkout/payment-context"): CHANGES_CHECKOUT,
    # Without a key 400: it is the credential; with another order's 403.
    ("GET", f"{PREVIEW}/order-received/{{order_id}}"): ("400", "400", "400", "403", "400", "400"),
    ("GET", f"{V2}/cart"): OWN_CART,
    ("POST", f"{V2}/cart"): ("own", "own", "403", "own", "own", "403"),
    ("GET", f"{V2}/cart/totals"): EMPTY_FOR_NOBODY,
    ("POST", f"{V2}/cart/calculate"): OWN_CART,
    ("POST", f"{V2}/cart/clear"): OWN_CART,
    ("POST", f"{V2}/cart/update"): EMPTY_FOR_NOBODY,
    ("POST", f"{V2}/cart/add-item"): OWN_CART,
    ("POST", f"{V2}/cart/add-items"): OWN_CART,
    ("GET", f"{V2}/cart/items"): EMPTY_FOR_NOBODY,
    ("DELETE", f"{V2}/cart/items"): OWN_CART,
    ("GET", f"{V2}/cart/items/count"): OWN_CART,
    **{
        (method, f"{V2}/cart/item/{{item_key}}"): NO_SUCH_ITEM
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    **{
        (method, f"{base}{path}"): row
        for base in (ME, MINE)
        for method, path, row in (
            ("GET", "", OWN_ACCOUNT),
            ("POST", "", OWN_ACCOUNT),
            ("POST", "/change-password", WRONG_PASSWORD),
            ("PATCH", "/address", OWN_ACCOUNT),
            ("GET", "/downloads", OWN_ACCOUNT),
            ("GET", "/orders", OWN_ACCOUNT),
            # Another's order, one that is not there, and a wrong e-mail look the same.
            ("GET", "/orders/{order_id}", everybody("404")),
            ("GET", "/orders/{order_id}/downloads", everybody("404")),
            ("POST", "/orders/{order_id}/cancel", CALLS_OFF),
            ("GET", "/verify-email", everybody("400")),
            ("GET", "/reviews", OWN_ACCOUNT),
            ("POST", "/verify-order-email", OWN_ACCOUNT),
            # The customer's link is the customer's only; Tom's own number opens nothing either.
            ("GET", "/verify-order-email", everybody("403")),
            ("GET", "/subscriptions", CALLS_OFF),
            ("GET", "/subscriptions/{subscription_id}", everybody("404")),
            ("DELETE", "/subscriptions/{subscription_id}/resubscribe", CALLS_OFF),
            *(
                ("POST", f"/subscriptions/{{subscription_id}}/{action}", CALLS_OFF)
                for action in (*ACTIONS, *(OLDER_ACTIONS if base == MINE else ()))
            ),
        )
    },
    **{
        ("POST", f"{namespace}/{path}"): everybody(answer)
        for namespace in (V2, PREVIEW)
        for path, answer in (
            ("register", "405"),
            ("lost-password", "own"),  # the same to everybody; the letter goes to its owner
            ("reset-password", "400"),
        )
    },
    ("GET", f"{PREVIEW}/checkout/attempts/{{attempt_id}}"): (
        "401",
        "403/404",
        "403/404",
        "404",
        "403/404",
        "403/404",
    ),
    ("POST", f"{PREVIEW}/order-received/{{order_id}}/pay"): everybody("403"),
    ("POST", f"{ADMIN[:-6]}/webhooks/{{gateway_id}}"): everybody("400"),
    ("GET", f"{ADMIN}/orders/{{order_id}}/payments"): everybody("403"),
    # Members that the route does not know are refused before anybody asks who sent them.
    ("POST", f"{ADMIN}/orders/{{order_id}}/refunds"): (*everybody("403")[1:], "400"),
    ("POST", f"{ADMIN}/orders/{{order_id}}/capture"): (*everybody("403")[1:], "400"),
    ("POST", f"{ADMIN}/orders/{{order_id}}/void"): everybody("403"),
    ("POST", f"{ADMIN}/attempts/{{attempt_id}}/look"): everybody("403"),
    ("POST", f"{ADMIN}/reload"): everybody("403"),
    ("POST", f"{V2}/login"): everybody("401"),
    ("POST", f"{V2}/logout"): everybody("own"),
    ("POST", f"{JWT}/refresh-token"): everybody("403"),
    ("POST", f"{JWT}/validate-token"): ("401", "401", "own", "401", "401", "own"),
    # Everybody may see what the shop sells; the rest is refused, or the attacker's own.
    ("POST", f"{V2}/cart/apply-coupon"): everybody("403/404"),
    ("GET", f"{V2}/cart/coupons"): everybody("403/404"),
    ("DELETE", f"{V2}/cart/coupons"): everybody("403/own"),
    ("GET", f"{V2}/cart/coupons/validate"): everybody("403/own"),
    ("DELETE", f"{V2}/cart/coupons/{{code}}"): everybody("403/404"),
    ("GET", f"{V2}/cart/mini"): everybody("403/own"),
    ("POST", f"{V2}/cart/add-fee"): everybody("403"),
    ("POST", f"{V2}/cart/remove-fees"): everybody("403"),
    # Who has an address has rates to choose from.
    ("POST", f"{V2}/cart/set-shipping-method"): (
        "403/404",
        "403/404",
        "403/own",
        "403/404",
        "403/404",
        "403/own",
    ),
    ("POST", f"{V2}/cart/calculate/shipping"): everybody("403/own"),
    # A link of an own cart; a stranger's is not made, and without its token not opened.
    ("POST", f"{V2}/cart/link"): EMPTY_FOR_NOBODY,
    ("POST", f"{V2}/cart/load"): everybody("404"),
    ("GET", f"{V2}/checkout"): ("401", "403/own", "403/own", "403/own", "403/own", "403/own"),
    ("PUT", f"{V2}/checkout"): ("401", "403/own", "403/own", "403/own", "403", "403/own"),
    ("POST", f"{V2}/checkout"): ("401", "403/own", "403/own", "403/own", "403", "403/own"),
    ("PATCH", f"{V2}/checkout"): ("401", "403/own", "403/own", "403/own", "403", "403/own"),
    ("GET", f"{V2}/checkout/payment-methods"): (
        "401",
        "403/own",
        "403/own",
        "403/own",
        "403/own",
        "403/own",
    ),
    ("GET", f"{V2}/products/reviews"): everybody("own"),
    # Anybody may say something once, in his own name.
    ("POST", f"{V2}/products/reviews"): ("201/409", *everybody("409")[1:]),
    ("GET", f"{V2}/products/reviews/mine"): ("401", "401", "own", "401", "401", "own"),
    ("GET", f"{V2}/products/reviews/{{review_id}}"): everybody("404"),
    ("GET", f"{V2}/products/attributes"): everybody("own"),
    ("GET", f"{V2}/products/attributes/{{attribute}}"): everybody("404"),
    ("GET", f"{V2}/products/attributes/{{attribute}}/terms"): everybody("404"),
    ("GET", f"{V2}/products/attributes/{{attribute}}/terms/{{term}}"): everybody("404"),
    ("GET", f"{V2}/products/categories"): everybody("own"),
    ("GET", f"{V2}/products/categories/{{term_id}}"): everybody("404"),
    ("GET", f"{V2}/products/tags"): everybody("own"),
    ("GET", f"{V2}/products/tags/{{term_id}}"): everybody("404"),
    ("GET", f"{V2}/products/brands"): everybody("own"),
    ("GET", f"{V2}/products/brands/{{term_id}}"): everybody("404"),
    ("GET", f"{V2}/products"): everybody("own"),
    ("GET", f"{V2}/products/{{reference}}/variations"): everybody("404"),
    ("GET", f"{V2}/products/{{reference}}/variations/{{variation_id}}"): everybody("404"),
    ("GET", f"{V2}/products/{{reference}}"): everybody("own"),
    ("GET", f"{V2}/products/{{reference}}/shipping-rates"): everybody("403/own"),
    ("GET", f"{V2}/store"): everybody("own"),
    ("GET", f"{V2}/checkout/config"): everybody("own"),
    ("GET", f"{V2}/address/search"): everybody("403/400"),
    ("GET", f"{V2}/address/details"): everybody("400"),
    ("GET", f"{PREVIEW}/address/search"): everybody("403/400"),
    ("GET", f"{PREVIEW}/address/details"): everybody("400"),
    ("GET", f"{V2}/order-received/{{order_id}}"): ("400", "400", "400", "403", "400", "400"),
    ("POST", f"{V2}/order-received/{{order_id}}/pay"): everybody("403"),
    # Answers for each part: what counts is that nothing is told nor changed.
    ("POST", "/wp-json/cocart/batch"): everybody("207"),
    ("POST", "/wp-json/batch/v1"): everybody("207"),
    ("GET", f"{ADMIN[:-6]}/my-account/payment-methods"): OWN_ACCOUNT,
    ("DELETE", f"{ADMIN[:-6]}/my-account/payment-methods/{{token_id}}"): CALLS_OFF,
    ("GET", f"{V2}/sessions"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{V2}/session/{{session_key}}"): ("401", "401", "403", "401", "401", "403"),
    ("DELETE", f"{V2}/session/{{session_key}}"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{V2}/sessions/{{session_key}}"): ("401", "401", "403", "401", "401", "403"),
    ("DELETE", f"{V2}/sessions/{{session_key}}"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{V2}/session/{{session_key}}/items"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{V2}/sessions/{{session_key}}/items"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{ADMIN}/keys"): ("401", "401", "403", "401", "401", "403"),
    ("POST", f"{ADMIN}/keys"): ("401", "401", "403", "401", "401", "400"),
    ("POST", f"{ADMIN}/keys/{{key_id}}/rotate"): ("401", "401", "403", "401", "401", "403"),
    ("DELETE", f"{ADMIN}/keys/{{key_id}}"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{ADMIN}/keys/{{key_id}}/usage"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{ADMIN}/alerts"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{ADMIN}/audit"): ("401", "401", "403", "401", "401", "403"),
    ("GET", f"{ADMIN}/shield/decisions"): ("401", "401", "403", "401", "401", "403"),
}


async def test_nobody_gets_at_what_is_anothers(empty_database: str) -> None:
    found, trouble = await explore(empty_database)
    assert trouble == []
    # A new route belongs into the table: say who may do what with it.
    assert found.keys() == EXPECTED.keys()
    assert found == EXPECTED
