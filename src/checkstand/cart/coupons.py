"""Coupons on a cart: applying, taking off, looking whether they still hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from checkstand.access.principal import Caller
from checkstand.cart import verbs
from checkstand.cart.model import MOST_COUPONS, Cart
from checkstand.cart.service import CartService
from checkstand.cart.view import CartView, Notices, Scene, view
from checkstand.customers import addresses
from checkstand.errors import (
    CartTooLarge,
    CouponCannotAdd,
    CouponCodeRequired,
    CouponEmailRestricted,
    CouponInvalid,
    CouponNotApplied,
    CouponsNotEnabled,
    CouponUnknown,
    CouponUsageLimit,
    NoCouponsApplied,
    ParameterInvalid,
    Refusal,
)
from checkstand.pricing.shop import ShopRules
from checkstand.promotions.model import clean_code
from checkstand.promotions.rules import Reason, Rejected
from checkstand.storage.idempotency import Ticket


def apply(cart: Cart, code: str, scene: Scene, shop: ShopRules) -> tuple[Cart, Notices]:
    """The cart with the coupon; one for individual use takes the place of the others.
    CouponUnknown, CouponCannotAdd on an empty cart, CouponInvalid with the reason."""
    if not cart.lines:
        raise CouponCannotAdd
    state = scene.coupons.get(code)
    if state is None or not state.coupon.enabled:
        raise CouponUnknown(f"The coupon “{code}” does not exist.")
    if code in cart.coupons:
        return cart, {"info": [f"The coupon “{code}” is applied already."]}
    if len(cart.coupons) >= MOST_COUPONS:
        raise CartTooLarge(f"One cart takes at most {MOST_COUPONS} coupons.")
    said: Notices = {"success": [f"The coupon “{code}” is applied."]}
    before = cart.coupons
    if state.coupon.individual_use and before:
        before = ()
        said["notice"] = [f"“{code}” cannot be used with other coupons: they were taken off."]
    with_it = replace(cart, coupons=(*before, code))
    for rejected in view(with_it, scene, shop).quote.rejected:
        if rejected.code == code:
            raise CouponInvalid(rejected.message, data=_reason(rejected))
    return with_it, said


def remove(cart: Cart, code: str) -> tuple[Cart, Notices]:
    """The cart without the coupon; CouponNotApplied."""
    if code not in cart.coupons:
        raise CouponNotApplied
    kept = tuple(each for each in cart.coupons if each != code)
    return replace(cart, coupons=kept), {"success": [f"The coupon “{code}” was taken off."]}


def refusal(rejected: Rejected) -> Refusal:
    """Why an order cannot be placed with this coupon, as the checkout says it (v2-checkout 3.5)."""
    data = {"error_type": "validation_error", **_reason(rejected)}
    match rejected.reason:
        case Reason.EMAIL:
            return CouponEmailRestricted(rejected.message, data=data)
        case Reason.USAGE_LIMIT | Reason.CUSTOMER_LIMIT:
            return CouponUsageLimit(rejected.message, data=data)
        case _:
            return CouponInvalid(rejected.message, data=data)


def _reason(rejected: Rejected) -> dict[str, str]:
    return {"coupon": rejected.code, "reason": rejected.reason.value}


def _contact(email: str) -> dict[str, str]:
    """What `with_contact` takes over; ParameterInvalid."""
    if not email:
        return {}
    alone = addresses.normalised(addresses.Address().merged({"email": email}))
    if addresses.malformed(alone, "billing_address"):
        raise ParameterInvalid(
            "Invalid parameter(s): email.", data={"params": {"email": "is no e-mail address"}}
        )
    return {"email": email}


@dataclass(frozen=True, slots=True)
class CartCoupons:
    """The verbs. CouponsNotEnabled where the shop takes none."""

    carts: CartService

    async def apply(
        self, caller: Caller, code: str, email: str = "", ticket: Ticket | None = None
    ) -> CartView:
        """Applies a coupon. An `email` becomes the billing e-mail: some coupons are for certain
        ones. ParameterInvalid for one that is not well-formed."""
        shop = self._enabled()
        code = clean_code(code)
        if not code:
            raise CouponCodeRequired
        contact = _contact(email)

        def change(cart: Cart, scene: Scene) -> tuple[Cart, Notices]:
            return apply(verbs.with_contact(cart, contact), code, scene, shop)

        return await self.carts.change(caller, change, ticket, codes=[code])

    async def remove(self, caller: Caller, code: str, ticket: Ticket | None = None) -> CartView:
        """Takes one coupon off."""
        self._enabled()
        code = clean_code(code)
        return await self.carts.change(caller, lambda cart, _: remove(cart, code), ticket)

    async def remove_all(self, caller: Caller, ticket: Ticket | None = None) -> CartView:
        """Takes every coupon off."""
        self._enabled()

        def change(cart: Cart, _: Scene) -> tuple[Cart, Notices]:
            said: Notices = {"success": ["All coupons were taken off."]} if cart.coupons else {}
            return replace(cart, coupons=()), said

        return await self.carts.change(caller, change, ticket)

    async def listed(self, caller: Caller) -> CartView:
        """The cart, for its coupons; NoCouponsApplied when there are none."""
        self._enabled()
        seen = await self.carts.read(caller)
        if not seen.quote.discounts:
            raise NoCouponsApplied
        return seen

    async def check(self, caller: Caller, email: str = "") -> CartView:
        """The cart with the coupons that hold, for who orders with `email`; what does not hold any
        more is said. Nothing is stored: reading never writes (DECISIONS 20)."""
        shop = self._enabled()
        contact = _contact(email)
        await self.carts.adopt(caller)
        seen = await self.carts.stored(caller)
        if seen is None:
            return await self.carts.read(caller)
        cart, scene = seen
        checked = view(verbs.with_contact(cart, contact), scene, shop)
        if checked.quote.discounts and not checked.quote.rejected:
            checked.notices.setdefault("success", []).append("All coupons hold.")
        return replace(checked, cart=replace(checked.cart, billing=cart.billing))

    def _enabled(self) -> ShopRules:
        if not self.carts.shop.coupons_enabled:
            raise CouponsNotEnabled
        return self.carts.shop
