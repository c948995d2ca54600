"""What every route is counted as (DECISIONS 23): all are, but those that say why not."""

from __future__ import annotations

from checkstand.guarding import Hooks
from checkstand.shield.limits import Ask
from tests.fakes import Letterbox
from tests.idor import ADMIN, JWT, Victim, bodies
from tests.makers import PREVIEW, V2, administrator, basic, running, shop_settings

NOBODY = Victim("nobody", "x@example.com", "t_x", "t_x", "x", 1, "wc_order_x", "pay_x")
PARTS = {"requests": [{"method": "GET", "path": "/cocart/v2/store"}]}
REVIEW = {
    "product_id": 1, "review": "Fine.", "reviewer": "Ines", "reviewer_email": "x@example.com",
    "rating": 5,
}  # fmt: skip
ADDRESS = {"billing_address": {"city": "Oslo"}}
MORE = {
    ("POST", f"{V2}/checkout"): {"payment_method": "bacs", "billing_address": {"city": "Oslo"}},
    ("PUT", f"{V2}/checkout"): ADDRESS,
    ("PATCH", f"{V2}/checkout"): ADDRESS,
    ("POST", f"{V2}/order-received/{{order_id}}/pay"): {"order_key": "x", "payment_method": "bacs"},
    ("POST", f"{V2}/cart/apply-coupon"): {"code": "ten"},
    ("POST", f"{V2}/cart/add-fee"): {"name": "Wrapping", "amount": "1"},
    ("POST", f"{V2}/cart/set-shipping-method"): {"key": "flat_rate:1"},
    ("POST", f"{V2}/products/reviews"): REVIEW,
    ("POST", f"{V2}/cart/load"): {"token": "x" * 32},
    ("POST", f"{ADMIN}/keys"): {"name": "k"},
    ("POST", "/wp-json/cocart/batch"): PARTS,
    ("POST", "/wp-json/batch/v1"): {
        "requests": [{"method": "POST", "path": "/cocart/v2/cart/calculate"}]
    },
}
READ, UPDATE, PROCESS = {"checkout_read"}, {"checkout_update"}, {"checkout_process"}
METHODS = {"payment_methods"}
SIGNING = {"sign_in"}
COUNTED_AS = {
    ("GET", f"{PREVIEW}/checkout"): READ,
    ("GET", f"{V2}/checkout"): READ,
    ("POST", f"{PREVIEW}/checkout"): PROCESS,  # the dialect is `reference`
    ("PUT", f"{PREVIEW}/checkout"): UPDATE,
    ("PATCH", f"{PREVIEW}/checkout"): UPDATE,
    ("POST", f"{V2}/checkout"): PROCESS,
    ("PUT", f"{V2}/checkout"): UPDATE,
    ("PATCH", f"{V2}/checkout"): UPDATE,
    ("GET", f"{PREVIEW}/checkout/payment-methods"): METHODS,
    ("GET", f"{V2}/checkout/payment-methods"): METHODS,
    ("POST", f"{PREVIEW}/order-received/{{order_id}}/pay"): PROCESS,
    ("POST", f"{V2}/order-received/{{order_id}}/pay"): PROCESS,
    ("POST", f"{JWT}/refresh-token"): {"token_refresh"},
    ("POST", f"{JWT}/validate-token"): {"token_validate"},
    ("POST", f"{V2}/cart/link"): {"cart_link"},
    ("POST", f"{V2}/cart/load"): {"cart_link"},
    # By the password that is wrong, and by what costs as much.
    ("POST", f"{V2}/login"): {"sign_in", "sign_in_failures"},
    **{
        (method, f"{space}/{path}"): SIGNING
        for space in (V2, PREVIEW)
        for method, path in (
            ("POST", "register"), ("POST", "lost-password"), ("POST", "reset-password"),
            ("GET", "my-account/verify-email"), ("GET", "my-account/verify-order-email"),
        )
    },
    # Not limited: providers send in bursts, and what they did not sign is refused unread.
    ("POST", "/wp-json/checkstand/v1/webhooks/{gateway_id}"): set(),
}  # fmt: skip


async def test_every_route_is_counted_as_what_it_is(empty_database: str) -> None:
    seen: set[str] = set()

    def note(ask: Ask) -> Ask | None:
        seen.add(ask.operation.value)
        return None

    settings = shop_settings(empty_database, rate_limits={"enabled": True})
    async with running(settings, hooks=Hooks([note]), carrier=Letterbox()) as shop:
        await administrator(shop.shop, "a good password")
        boss = basic("admin", "a good password")
        assert (await shop.call("GET", f"{V2}/cart", headers=boss)).status_code == 200
        sent = {**bodies(NOBODY, with_key=True), **MORE}
        found, expected, wrong = {}, {}, {}
        paths = (await shop.http.get("/openapi.json")).json()["paths"]
        for path, operations in paths.items():
            for verb in operations:
                route = (verb.upper(), path)
                seen.clear()
                url = path.format_map(_Ones())
                query = {"key": "x" * 43, "user_id": "1", "order_key": "x", "query": "Oslo",
                         "code": "ten", "id": "x"}  # fmt: skip
                headers = {"Authorization": "Bearer a.b.c"} if "validate-token" in path else {}
                if "/login" not in path and "/jwt/" not in path:
                    headers = boss
                answer = await shop.http.request(
                    route[0], url, json=sent.get(route), params=query, headers=headers
                )
                expected[route] = COUNTED_AS.get(route, {"other"})
                # The administrator's own password is looked at again every few seconds.
                own = {"sign_in", "sign_in_failures"} if headers is boss else set()
                found[route] = seen - (own - expected[route])
                if found[route] != expected[route]:
                    wrong[route] = (found[route], answer.status_code, answer.text[:200])
        assert wrong == {}
        assert COUNTED_AS.keys() <= found.keys()


class _Ones(dict[str, str]):
    """Fills every part of a path in."""

    def __missing__(self, name: str) -> str:
        return "1"
