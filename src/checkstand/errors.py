"""The error tree. Each refusal is a named class with its wire code, HTTP status and data.

One flat list, longer than a file of ours should be: it is read by code, not from top to bottom.

Codes and statuses: contract cart.md 3.1/5/10, checkout.md 10, DECISIONS 1-18. A presenter may
render a refusal under another code (v2 and preview name a few differently); the class is the fact.
Codes avoid the words `authenticat`, `invalid` and `missing` unless official clients should treat
the answer as an authentication or validation failure (sdk-expectations 1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class CheckstandError(Exception):
    """Base of everything that Checkstand raises on purpose."""


class ConfigurationError(CheckstandError):
    """The shop cannot start as configured; the message names the key, the value and the fix."""


class StorageError(CheckstandError):
    """The database cannot be used: not reachable, not migrated, or of a wrong version."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what a caller sent: `field` is a dotted name."""

    code: str
    field: str
    message: str
    cause: type[Refusal] | None = None
    """The refusal that this would be by itself, where presenters tell more apart than `code`."""

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "field": self.field, "message": self.message}


class Refusal(CheckstandError):
    """A request that is understood and not carried out. Nothing was changed.

    `code` and `status` go over the wire; `data` is merged into the envelope's `data`;
    `retry_after` (seconds) becomes the Retry-After header.
    """

    code: ClassVar[str] = "cocart_refused"
    status: ClassVar[int] = 400
    text: ClassVar[str] = "The request was refused."

    def __init__(
        self,
        message: str | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.message = message or self.text
        self.data: dict[str, Any] = dict(data or {})
        self.retry_after = retry_after
        super().__init__(self.message)


# --- the request itself -------------------------------------------------------------------------


class ParameterMissing(Refusal):
    code = "rest_missing_callback_param"
    text = "A required parameter was not sent."


class ParameterInvalid(Refusal):
    code = "rest_invalid_param"
    text = "A parameter does not have the documented form."


class BodyNotJson(Refusal):
    code = "rest_invalid_json"
    text = "The body is not valid JSON."


class UnsupportedMediaType(Refusal):
    code = "rest_unsupported_media_type"
    status = 415
    text = "Send the body as application/json, or as a form in UTF-8."


class BodyTooLarge(Refusal):
    code = "rest_body_too_large"
    status = 413
    text = "The body is larger than this server accepts."


class NoSuchRoute(Refusal):
    code = "rest_no_route"
    status = 404
    text = "No route was found matching the URL and request method."


class MethodNotAllowed(Refusal):
    code = "rest_method_not_allowed"
    status = 405
    text = "This route does not take that method."


class NotInBatch(Refusal):
    code = "rest_batch_not_allowed"
    text = "A batch cannot be a part of a batch."


class IdempotencyKeyMalformed(Refusal):
    code = "cocart_idempotency_key_malformed"
    text = "Idempotency-Key must be 1 to 255 printable ASCII characters."


class IdempotencyMismatch(Refusal):
    code = "cocart_idempotency_mismatch"
    status = 422
    text = "This Idempotency-Key was used with another request body; use a new key."


class ServerFault(Refusal):
    """Never raised by a use case: the envelope for what nobody expected."""

    code = "cocart_internal_error"
    status = 500
    text = "Something went wrong on our side. Nothing was lost; please try again."


class ServiceUnavailable(Refusal):
    code = "cocart_service_unavailable"
    status = 503
    text = "The shop cannot reach its database right now. Nothing was changed; please try again."


class RateLimited(Refusal):
    code = "rate_limit_exceeded"
    status = 429
    text = "Too many requests; wait a moment."


class HttpsRequired(Refusal):
    """Also raised for a proxy of the shop's own that does not say how the client came."""

    code = "cocart_https_required"
    status = 403
    text = (
        "Use HTTPS. If you did: the shop's proxy must send X-Forwarded-Proto, and its address "
        "belongs into security.trusted_proxies."
    )


# --- who is calling -----------------------------------------------------------------------------


class AuthenticationFailed(Refusal):
    code = "cocart_authentication_error"
    status = 401
    text = "The credentials were not accepted."


class KeyNotAccepted(AuthenticationFailed):
    """A key that is right and may not be used here or now. `reason`: expired, origin, network,
    secret or revoked; for the operator's counts, not for the wire."""

    def __init__(self, message: str, *, reason: str, key_id: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.key_id = key_id


class PasswordRefused(AuthenticationFailed):
    """`account_id` is whose password it was not, None for nobody's: for the audit log, not for the
    wire."""

    text = "The user name or the password is wrong."

    def __init__(self, account_id: int | None) -> None:
        super().__init__()
        self.account_id = account_id


class SignInFirst(Refusal):
    code = "cocart_unauthorized"
    status = 401
    text = "Sign in first."


class NotForYou(Refusal):
    code = "cocart_forbidden"
    status = 403
    text = "You are not allowed to do this."


class NoSuchKey(Refusal):
    code = "cocart_consumer_key_not_found"
    status = 404
    text = "There is no active consumer key with this number."


class TokenRefused(Refusal):
    code = "cocart_authentication_error"
    status = 403
    text = "The token was not accepted."


class PermissionTooSmall(Refusal):
    code = "cocart_rest_cannot_checkout"
    status = 403
    text = "This consumer key may not do that; it needs another permission."


class CredentialsRequired(Refusal):
    code = "cocart_rest_not_authorized"
    status = 401
    text = "Send a user name and a password, in the body or as Basic credentials."


class TokensNotOffered(Refusal):
    code = "cocart_jwt_auth_bad_config"
    status = 403
    text = "This shop hands out no tokens; sign in with Basic credentials."


class RefreshTokenMissing(Refusal):
    code = "cocart_jwt_auth_missing_refresh_token"
    status = 403
    text = "Send the refresh token as `refresh_token`."


class RefreshTokenRefused(Refusal):
    code = "cocart_authentication_error"
    status = 403
    text = "The refresh token was not accepted; sign in again."


class TokenRequired(Refusal):
    code = "rest_forbidden"
    status = 401
    text = "Send a token: Authorization: Bearer …"


class CartKeyRequired(Refusal):
    code = "cocart_rest_authentication_required"
    status = 401
    text = "Send the cart key in the Cart-Key header or the cart_key query parameter, or sign in."


class MustSignIn(Refusal):
    code = "cocart_must_authenticate_user"
    status = 403
    text = "That cart belongs to a customer account; sign in to use it."


# --- the cart -----------------------------------------------------------------------------------


class CartNotFound(Refusal):
    code = "cocart_cart_not_found"
    status = 404
    text = "No cart has this key; it may have expired. Add an item to start a new one."


class SessionIdMalformed(Refusal):
    code = "cocart_invalid_session_id"
    text = "A session is named by a cart key or the number of a customer."


class SessionNotFound(Refusal):
    code = "cocart_session_not_found"
    status = 404
    text = "There is no cart of this name that is still open."


class CartCreationNotAllowed(Refusal):
    code = "cocart_rest_cart_creation_not_allowed"
    status = 403
    text = "A signed-in customer already has a cart."


class ProductIdRequired(Refusal):
    code = "cocart_product_id_required"
    status = 404
    text = "Say which product to add: its ID or SKU in `id`."


class UnknownProductId(Refusal):
    code = "cocart_unknown_product_id"
    status = 404
    text = "No product has this SKU."


class InvalidProduct(Refusal):
    code = "cocart_invalid_product"
    text = "There is no such product, or it is not for sale any more."


class QuantityNotNumeric(Refusal):
    code = "cocart_quantity_not_numeric"
    status = 405
    text = "The quantity must be a whole number."


class QuantityOutOfRange(Refusal):
    code = "cocart_quantity_invalid_amount"
    status = 405
    text = "That quantity is not allowed for this product."


class ProductTypeNotAddable(Refusal):
    code = "cocart_cannot_add_product_type_to_cart"
    status = 403
    text = "Products of this type cannot be added to a cart."


class NoVariationFound(Refusal):
    code = "cocart_no_variation_found"
    status = 404
    text = "No variation matches the chosen options."


class VariationDataInvalid(Refusal):
    code = "cocart_invalid_variation_data"
    text = "An option that was chosen does not exist for this product."


class VariationDataMissing(Refusal):
    code = "cocart_missing_variation_data"
    text = "Not all options were chosen."


class ParentProductInvalid(Refusal):
    code = "cocart_cart_invalid_parent_product"
    status = 404
    text = "The product that this variation belongs to is not for sale any more."


class SoldIndividually(Refusal):
    code = "cocart_product_sold_individually"
    status = 403
    text = "Only one of this product can be in a cart, and it is there already."


class NotPurchasable(Refusal):
    code = "cocart_cannot_be_purchased"
    text = "This product cannot be bought at the moment."


class OutOfStock(Refusal):
    code = "cocart_product_out_of_stock"
    status = 404
    text = "This product has sold out."


class NotEnoughInStock(Refusal):
    code = "cocart_not_enough_in_stock"
    status = 404
    text = "There are not enough of this product in stock."


class NotEnoughStockRemaining(Refusal):
    code = "cocart_not_enough_stock_remaining"
    status = 404
    text = "With what is in the cart already, there are not enough of this product left."


class GroupedQuantityRequired(Refusal):
    code = "cocart_grouped_product_empty"
    status = 404
    text = "Say how many of each product: `quantity` maps product ID to quantity."


class GroupedNothingChosen(Refusal):
    code = "cocart_grouped_product_failed"
    status = 404
    text = "Choose a quantity for at least one product of the group."


class ItemNotInCart(Refusal):
    code = "cocart_item_not_in_cart"
    status = 404
    text = "No item of the cart has this key."


class ItemKeyRequired(Refusal):
    code = "cocart_cart_item_key_required"
    status = 404
    text = "Say which item: its key is the last part of the path."


class CannotIncreaseQuantity(Refusal):
    code = "cocart_can_not_increase_quantity"
    status = 405
    text = "Only one of this product can be bought at a time."


class CannotSwitchItem(Refusal):
    code = "cocart_can_not_update_item"
    status = 400
    text = "This item cannot become that; remove it, and add what is wanted instead."


class ItemAlreadyRestored(Refusal):
    code = "cocart_item_restored_to_cart"
    status = 405
    text = "The item is in the cart already."


class ItemNeverInCart(Refusal):
    code = "cocart_item_restored_to_cart"
    status = 404
    text = "No removed item has this key."


class NoItems(Refusal):
    code = "cocart_no_items"
    status = 404
    text = "The cart has no items."


class NoItemsInCart(Refusal):
    code = "cocart_no_items_in_cart"
    status = 404
    text = "The cart has no items."


class CartTotalsEmpty(Refusal):
    code = "cocart_cart_totals_empty"
    status = 404
    text = "The cart has no totals: it has no items."


class NamespaceRequired(Refusal):
    code = "cocart_update_cart_namespace_error"
    status = 404
    text = "Say what to update: `namespace` is `update-cart` or `update-customer`."


class NamespaceUnknown(Refusal):
    code = "cocart_update_cart_no_namespace_error"
    status = 404
    text = "There is no such namespace; use `update-cart` or `update-customer`."


class CartEmpty(Refusal):
    code = "cocart_cart_empty"
    status = 404
    text = "The cart is empty: there is nothing to update."


class CartTooLarge(Refusal):
    code = "cocart_cart_too_large"
    text = "The cart holds as many different items as one cart can."


class FeeNameRequired(Refusal):
    code = "cocart_fee_missing_name"
    status = 404
    text = "Say what the fee is for: `name`."


class FeeAmountRequired(Refusal):
    code = "cocart_fee_missing_amount"
    status = 404
    text = "Say how much the fee is: `amount`, in major units of the base currency."


class FeeCannotAdd(Refusal):
    code = "cocart_fee_cannot_add"
    status = 404
    text = "The cart is empty: there is nothing to add a fee to."


class FeesNotAllowed(Refusal):
    code = "cocart_fees_not_allowed"
    status = 403
    text = "Fees are added by who runs the shop, not by shoppers."


class ShippingOff(Refusal):
    code = "cocart_shipping_disabled"
    status = 404
    text = "This shop does not ship."


class RateRequired(Refusal):
    code = "cocart_missing_rate_id"
    status = 404
    text = "Say which shipping method: `rate_id`, the key of a rate."


class ShippingNotCalculated(Refusal):
    code = "cocart_shipping_not_calculated"
    status = 404
    text = "Give an address first: which shipping methods there are depends on it."


class RateNotOffered(Refusal):
    code = "cocart_shipping_rate_not_offered"
    status = 404
    text = "This shipping method is not offered to that address."


class CartLinksOff(Refusal):
    code = "cocart_cart_links_disabled"
    status = 404
    text = "This shop makes no load-cart links."


class CartLinkInvalid(Refusal):
    code = "cocart_cart_link_invalid"
    status = 404
    text = "This is no load-cart link of this shop."


class CartLinkSpent(Refusal):
    code = "cocart_cart_link_spent"
    status = 410
    text = "This link was opened before, or its time is over; ask for another one."


class CartLinkTargetRefused(Refusal):
    code = "cocart_cart_link_target_not_allowed"
    text = "A load-cart link leads to this shop's own storefronts only."


class CouponsNotEnabled(Refusal):
    code = "cocart_coupons_not_enabled"
    status = 404
    text = "This shop does not take coupons."


class CouponCodeRequired(Refusal):
    code = "cocart_coupon_code_required"
    status = 404
    text = "Say which coupon: its code in `code`."


class CouponUnknown(Refusal):
    code = "cocart_coupon_not_exist"
    status = 404
    text = "There is no such coupon."


class CouponCannotAdd(Refusal):
    code = "cocart_coupon_cannot_add"
    status = 404
    text = "The cart is empty: a coupon needs something to take off from."


class CouponNotApplied(Refusal):
    code = "cocart_cart_coupon_invalid_code"
    status = 404
    text = "This coupon is not applied to the cart."


class NoCouponsApplied(Refusal):
    code = "cocart_cart_no_coupons_applied"
    status = 404
    text = "No coupon is applied to the cart."


class CouponInvalid(Refusal):
    """`data.reason` says why, `data.coupon` which one."""

    code = "cocart_invalid_coupon"
    text = "This coupon does not hold for this cart."


class CouponEmailRestricted(Refusal):
    code = "cocart_coupon_email_restricted"
    text = "This coupon is not for this e-mail address."


class CouponUsageLimit(Refusal):
    code = "cocart_coupon_usage_limit"
    text = "This coupon has been used as often as it can be."


# --- products -----------------------------------------------------------------------------------


class QueryInvalid(Refusal):
    code = "cocart_invalid_parameter"
    text = "A parameter of the query does not have the documented form."


class ProductIdInvalid(Refusal):
    code = "cocart_invalid_product_id"
    text = "That cannot be the ID of a product."


class ProductNotFound(Refusal):
    code = "cocart_product_not_found"
    status = 404
    text = "There is no such product."


class IdInvalid(Refusal):
    code = "cocart_invalid_id"
    text = "An ID is a whole number from 1 on."


class VariationNotFound(Refusal):
    code = "cocart_variation_not_found"
    status = 404
    text = "This product has no such variation."


class AttributeIdInvalid(Refusal):
    code = "cocart_invalid_attribute_id"
    text = "That cannot be the ID of an attribute."


class AttributeNotFound(Refusal):
    code = "cocart_attribute_not_found"
    status = 404
    text = "There is no such attribute."


class TermNotFound(Refusal):
    code = "cocart_term_not_found"
    status = 404
    text = "The attribute has no such term."


class CategoryIdInvalid(Refusal):
    code = "cocart_invalid_category_id"
    text = "That cannot be the ID of a category."


class CategoryNotFound(Refusal):
    code = "cocart_category_not_found"
    status = 404
    text = "There is no such category."


class TagIdInvalid(Refusal):
    code = "cocart_invalid_tag_id"
    text = "That cannot be the ID of a tag."


class TagNotFound(Refusal):
    code = "cocart_tag_not_found"
    status = 404
    text = "There is no such tag."


class BrandIdInvalid(Refusal):
    code = "cocart_invalid_brand_id"
    text = "That cannot be the ID of a brand."


class BrandNotFound(Refusal):
    code = "cocart_brand_not_found"
    status = 404
    text = "There is no such brand."


class ReviewIdInvalid(Refusal):
    code = "cocart_invalid_review_id"
    text = "That cannot be the ID of a review."


class ReviewNotFound(Refusal):
    code = "cocart_review_not_found"
    status = 404
    text = "There is no such review."


class SignInForReviews(Refusal):
    code = "cocart_unauthorized"
    status = 401
    text = "Sign in to see your own reviews."


class ReviewedProductUnknown(Refusal):
    code = "cocart_product_invalid_id"
    status = 404
    text = "There is no such product to review."


class ReviewNotAllowed(Refusal):
    code = "cocart_cannot_create"
    status = 403
    text = "This product cannot be reviewed by you."


class ReviewEmpty(Refusal):
    code = "cocart_review_content_invalid"
    text = "Write something in the review."


class ReviewRepeated(Refusal):
    code = "cocart_comment_duplicate"
    status = 409
    text = "This review was sent before."


class ReviewTooSoon(Refusal):
    code = "cocart_comment_flood"
    text = "You have just sent a review; wait a moment."


class RatesWithCartKey(Refusal):
    code = "cocart_calculate_product_shipping_rates_cart_access_denied"
    status = 403
    text = "Shipping rates of a product are worked out without a cart: send no cart key."


class RatesOfExternal(Refusal):
    code = "cocart_calculate_product_shipping_external_types_denied"
    status = 403
    text = "This product is sold elsewhere, and shipped from there."


class RatesOfGroup(Refusal):
    code = "cocart_calculate_product_shipping_grouped_types_denied"
    status = 403
    text = "A group is not shipped as such; ask for one of its products."


class RatesProductUnusable(Refusal):
    code = "cocart_invalid_product"
    status = 404
    text = "This product cannot be shipped at the moment."


class RatesVariationInvalid(Refusal):
    code = "cocart_variation_invalid_id"
    status = 404
    text = "This product has no variation with these options."


class RatesFailed(Refusal):
    code = "cocart_calculate_product_shipping_rates_failed"
    status = 500
    text = "The shipping rates could not be worked out."


# --- looking up addresses -----------------------------------------------------------------------


class AddressQueryTooShort(Refusal):
    code = "cocart_address_search_invalid_query"
    text = "Type at least 3 characters of the address."


class AddressCountryNotSupported(Refusal):
    code = "cocart_address_search_country_not_supported"
    text = "Addresses of this country cannot be searched."


class PreviewAddressCountryNotSupported(Refusal):
    """As the preview namespace calls it."""

    code = "cocart_address_country_not_supported"
    text = "Addresses of this country cannot be searched."


class PreviewNoAddressProvider(Refusal):
    """As the preview namespace calls it."""

    code = "cocart_address_no_provider"
    status = 500
    text = "This shop has no address search."


class NoAddressProvider(Refusal):
    code = "cocart_address_search_no_provider"
    status = 500
    text = "This shop has no address search."


class AddressSearchFailed(Refusal):
    code = "cocart_address_search_error"
    status = 500
    text = "The address search did not answer; type the address instead."


class AddressIdRequired(Refusal):
    code = "cocart_address_details_missing_id"
    text = "Say which address: send the address_id of a suggestion."


class AddressNotFound(Refusal):
    code = "cocart_address_details_not_found"
    status = 404
    text = "There is no address with this ID."


class NoAddressDetailsProvider(Refusal):
    code = "cocart_address_details_no_provider"
    status = 500
    text = "This shop has no such address provider."


class AddressIncomplete(Refusal):
    code = "cocart_address_details_invalid"
    status = 500
    text = "The address that was found lacks a part."


class AddressDetailsFailed(Refusal):
    code = "cocart_address_details_error"
    status = 500
    text = "The address provider did not answer; type the address instead."


# --- checkout -----------------------------------------------------------------------------------


class EmptyCart(Refusal):
    code = "cocart_checkout_empty_cart"
    text = "The cart is empty: add an item first."


class CheckoutInvalid(Refusal):
    """Everything that is wrong with the checkout data, at once (DECISIONS 8)."""

    code = "cocart_checkout_invalid_address"
    text = "The checkout data needs a correction."

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        about_address = any(_about_address(problem) for problem in problems)
        self.wire_code = self.code if about_address else problems[0].code
        super().__init__(
            " ".join(problem.message for problem in problems),
            data={
                "error_type": "validation_error",
                "invalid_fields": list(dict.fromkeys(problem.field for problem in problems)),
                "problems": [problem.as_json() for problem in problems],
            },
        )


def _about_address(problem: Problem) -> bool:
    return problem.field.partition(".")[0] in {"billing_address", "shipping_address"}


class NothingLeft(EmptyCart):
    text = "What was in the cart is not sold any more."


class WrongVerb(Refusal):
    code = "cocart_checkout_wrong_verb"
    text = "This verb updates the checkout; it does not take payment data."


class AccountNotCreated(Refusal):
    code = "cocart_account_creation_failed"
    text = "The account cannot be created; send the order without `create_account`."


class GuestCheckoutOff(Refusal):
    code = "cocart_guest_checkout_disabled"
    status = 401
    text = "This shop takes orders from signed-in customers only."


class PaymentMethodUnknown(Refusal):
    code = "cocart_invalid_payment_method"
    text = "This payment method is not offered."


class PaymentMethodOff(PaymentMethodUnknown):
    """This version has the method, and the shop has not switched it on."""


class PaymentMethodNotOffered(PaymentMethodUnknown):
    """The shop has the method, but not for this cart or order."""


class TotalsChanged(Refusal):
    code = "cocart_checkout_totals_changed"
    status = 409
    text = "A price, tax or shipping rate has changed; check the new total and order again."


class LinesGone(TotalsChanged):
    """The total changed because a product of the cart was deleted; its line is out."""


class LinesNotForSale(TotalsChanged):
    """The total changed because a product of the cart is not for sale now; its line is out."""


class InsufficientStock(Refusal):
    code = "cocart_insufficient_stock"
    text = "Not everything in the cart is in stock in the quantity asked for."


class SoldOut(InsufficientStock):
    """What is short is marked as sold out, and not counted."""


class CheckoutInProgress(Refusal):
    code = "cocart_checkout_in_progress"
    status = 409
    text = "Another request is ordering this cart right now; ask again in a moment."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, retry_after=2)


class PaymentPending(Refusal):
    code = "cocart_checkout_payment_pending"
    status = 409
    text = "A payment for this cart is still being confirmed; the cart cannot change meanwhile."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, retry_after=5)


class TooManyDeclines(Refusal):
    """The card-testing shield; nothing was charged. `data.challenge`, where there is one, is how to
    go on at once: send what solves it as Checkstand-Challenge."""

    code = "cocart_checkout_too_many_declines"
    status = 429
    text = "Too many payments were declined. Wait a while, or pay in another way."


class PaymentFailed(Refusal):
    code = "cocart_payment_failed"
    text = "The payment was declined."


class PaymentContextStale(Refusal):
    code = "cocart_payment_context_expired"
    text = (
        "The payment was prepared for another amount or has expired; ask for a new payment "
        "context and let the shopper pay again. What was paid for it goes back by itself."
    )
    own: tuple[str, str] | None = None
    """Gateway and reference of a payment that was prepared for the caller's own cart."""


class PaymentDataUnreadable(Refusal):
    code = "cocart_payment_data_unreadable"
    text = "The payment data is not what this payment method expects; see its guide."


class PaymentAlreadyUsed(Refusal):
    code = "cocart_payment_already_used"
    status = 409
    text = "This payment has paid for another order; it cannot pay for two."


class SavedMethodUnknown(Refusal):
    code = "cocart_payment_token_unknown"
    text = "There is no such saved payment method of this customer; choose another."


class CardDataRefused(Refusal):
    code = "cocart_card_data_refused"
    text = (
        "A payment field holds what looks like a card number. Card numbers must never be sent to "
        "this server: turn them into a token in the browser with the provider's script, and send "
        "that."
    )


class AttemptNotFound(Refusal):
    code = "cocart_payment_attempt_not_found"
    status = 404
    text = "There is no such payment attempt."


class WebhookRefused(Refusal):
    """A webhook that the provider cannot have sent, or not lately."""

    code = "cocart_webhook_refused"
    text = "The webhook's signature is wrong, or it is too old."


# --- orders -------------------------------------------------------------------------------------


class OrderNotFound(Refusal):
    code = "cocart_order_not_found"
    status = 404
    text = "There is no such order."


class OrderKeyWrong(Refusal):
    code = "cocart_invalid_order_key"
    status = 403
    text = "The order key does not belong to this order."


class OrderNotYours(Refusal):
    code = "cocart_order_permission_denied"
    status = 403
    text = "This order belongs to another customer."


class OrderNotPayable(Refusal):
    code = "cocart_order_not_payable"
    text = "This order cannot be paid: it is paid, cancelled, or needs no payment."


class NothingToPay(OrderNotPayable):
    """It is paid or promised, or costs nothing."""


class RefundTooLarge(Refusal):
    code = "cocart_refund_too_large"
    text = "More cannot be refunded than was captured and not refunded yet."


class RefundRefused(Refusal):
    code = "cocart_refund_refused"
    text = "The payment provider refused the refund."


class NothingToCapture(Refusal):
    code = "cocart_nothing_to_capture"
    text = "No payment of this order is reserved."


class ProviderSilent(Refusal):
    code = "cocart_payment_provider_silent"
    status = 503
    text = "The payment provider did not answer; nothing was lost. Please try again."


class AdministratorOnly(Refusal):
    code = "cocart_rest_cannot_manage"
    status = 403
    text = "Sign in as a shop manager or administrator to do this."


# --- accounts -----------------------------------------------------------------------------------


class MyAccountDenied(Refusal):
    code = "cocart_access_my_account_denied"
    status = 403
    text = "Sign in to see your account."


class MyOrdersDenied(Refusal):
    code = "cocart_access_my_orders_denied"
    status = 403
    text = "Sign in to see your orders, or give the order's e-mail address as `email`."


class NoOrdersYet(Refusal):
    code = "cocart_account_no_orders"
    status = 404
    text = "There are no orders yet."


class OrderDoesNotExist(Refusal):
    """Missing, another's, or asked for with another e-mail address: nobody learns which."""

    code = "cocart_order_does_not_exist"
    status = 404
    text = "There is no such order."


class NoSubscriptions(Refusal):
    code = "cocart_account_no_subscriptions"
    status = 404
    text = "There are no subscriptions: this shop sells none."


class SubscriptionDoesNotExist(Refusal):
    code = "cocart_subscription_does_not_exist"
    status = 404
    text = "There is no such subscription: this shop sells none."


class EmailAlreadyVerified(Refusal):
    code = "cocart_email_already_verified"
    text = "This e-mail address is confirmed already, and its orders are yours."


class SavedMethodNotFound(Refusal):
    code = "cocart_saved_method_not_found"
    status = 404
    text = "There is no such saved payment method."


class OrderCannotBeCancelled(Refusal):
    code = "cocart_order_cannot_be_cancelled"
    text = "This order cannot be cancelled any more."


class AccountFieldRequired(Refusal):
    code = "cocart_account_missing_required_field"
    text = "A required field is empty."


class AccountEmailInvalid(Refusal):
    code = "cocart_account_provide_valid_email"
    text = "That is not an e-mail address; it should look like name@example.com."


class AccountEmailTaken(Refusal):
    code = "cocart_account_email_already_registered"
    status = 403
    text = "Another account has this e-mail address."


class DisplayNameIsEmail(Refusal):
    code = "cocart_cannot_set_email_as_display_name"
    status = 403
    text = "The display name is shown to others; it cannot be an e-mail address."


class NewPasswordRequired(Refusal):
    code = "cocart_account_fill_all_password_fields"
    text = "Send the new password twice, as `password_1` and `password_2`."


class CurrentPasswordRequired(Refusal):
    code = "cocart_account_enter_current_password"
    text = "Send the current password as `password_current`."


class PasswordToRepeat(Refusal):
    code = "cocart_account_reenter_password"
    text = "Send the new password once more as `password_2`."


class PasswordsDiffer(Refusal):
    code = "cocart_account_new_passwords_do_not_match"
    text = "The two new passwords are not the same."


class CurrentPasswordWrong(Refusal):
    code = "cocart_account_incorrect_current_password"
    text = "That is not the current password."


class PasswordTooWeak(Refusal):
    code = "cocart_account_weak_password"
    text = "The password is too weak."


class KeyInvalidOrExpired(Refusal):
    code = "cocart_invalid_or_expired_key"
    text = "This link is not valid any more; ask for another one."


class MailNotOffered(Refusal):
    code = "cocart_mail_not_offered"
    text = "This shop sends no e-mail, which this needs."


class NoAddressGiven(Refusal):
    code = "cocart_no_address_data"
    text = "Send `billing_address` or `shipping_address`."


class AccountAddressInvalid(Refusal):
    code = "cocart_invalid_address_fields"
    text = "The address needs a correction."


class RegistrationClosed(Refusal):
    code = "cocart_registration_error_failed_creation"
    text = "This shop does not take registrations."


class UsernameReserved(Refusal):
    code = "cocart_registration_error_reserved_username"
    text = "This user name is reserved; choose another one."


class RegistrationPasswordWeak(Refusal):
    code = "cocart_registration_error_weak_password"
    text = "The password is too weak."


class RegistrationEmailInvalid(Refusal):
    code = "cocart_registration_invalid_email"
    status = 404
    text = "That is not an e-mail address; it should look like name@example.com."


class UsernameInvalid(Refusal):
    code = "cocart_registration_error_invalid_username"
    status = 404
    text = "A user name has 1 to 60 letters, digits and . _ - and at least one letter."


class RegistrationPasswordMissing(Refusal):
    code = "registration-error-missing-password"
    status = 404
    text = "Send a password as `requested_password`."


class RegistrationEmailTaken(Refusal):
    code = "cocart_registration_error_email_exists"
    status = 405
    text = "There is an account with this e-mail address; sign in, or reset its password."


class UsernameTaken(Refusal):
    code = "cocart_registration_error_username_exists"
    status = 405
    text = "There is an account with this user name; choose another one."
