"""What the account routes take and give (contract accounts.md, v2-accounts.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from checkstand.http.cocart.preview.schemas import AddressIn, BillingOut, ShippingAddressOut
from checkstand.http.inputs import EmptyObject, Flag, as_object

Text = Annotated[str | None, Field(max_length=500)]
Secret = Annotated[str | None, Field(max_length=4096)]


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoginIn(_In):
    """Both, or neither when they come as Basic credentials or in the query."""

    username: Secret = Field(None, description="User name, e-mail address or billing phone.")
    password: Secret = None
    avatars: Flag = False


class RegisterIn(_In):
    email: str = Field(max_length=500)
    requested_username: Text = Field(None, description="Left out: made of the e-mail address.")
    requested_password: Secret = Field(
        None, description="May be left out when the shop mails a link to choose one."
    )


class LostPasswordIn(_In):
    username: str = Field(max_length=500, description="User name or e-mail address.")


class ResetPasswordIn(_In):
    key: str = Field(max_length=200, description="From the mailed link.")
    password: str = Field(max_length=4096)


class RefreshIn(_In):
    refresh_token: str | None = Field(None, max_length=1024)


class PasswordIn(_In):
    password_current: Secret = None
    password_1: Secret = None
    password_2: Secret = None


class AccountIn(PasswordIn):
    """The four fields are all needed; the passwords only to change it."""

    account_first_name: Text = None
    account_last_name: Text = None
    account_display_name: Text = None
    account_email: Text = None


class AddressesIn(_In):
    """At least one; only the parts that are sent change."""

    billing_address: Annotated[
        AddressIn | None, BeforeValidator(as_object, json_schema_input_type=AddressIn | EmptyObject)
    ] = None
    shipping_address: Annotated[
        AddressIn | None, BeforeValidator(as_object, json_schema_input_type=AddressIn | EmptyObject)
    ] = None


class ExtrasOut(BaseModel):
    model_config = ConfigDict(extra="allow")
    jwt_token: str
    jwt_refresh: str | None = Field(
        None, description="Not there when the login itself came with a token: only a hash is kept."
    )


class LoginOut(_Out):
    user_id: str
    first_name: str
    last_name: str
    display_name: str
    role: str
    avatar_urls: list[Any] = Field(description="Always empty: this server knows no pictures.")
    email: str
    extras: ExtrasOut | list[Any] = Field(description="`[]` while the shop hands out no tokens.")
    dev_note: str


class RegisteredOut(_Out):
    user_id: int
    username: str
    message: str


class MessageOut(_Out):
    success: bool
    message: str


class PairOut(_Out):
    token: str
    refresh_token: str


class ValidOut(_Out):
    message: str


class AddressesOut(_Out):
    billing: BillingOut
    shipping: ShippingAddressOut


class UserOut(_Out):
    id: int
    date_registered: str
    email: str
    first_name: str
    last_name: str
    display_name: str
    addresses: AddressesOut
    orders_count: int
    total_spent: str = Field(description="With symbol, in the shop's own currency.")
    is_paying_customer: bool
    avatar_url: str


class RecentOrderOut(_Out):
    order_id: int | None
    order_date: str | None
    order_data: str | None


class AccountMetaOut(_Out):
    is_customer_outside_base: bool
    is_vat_exempt: bool


class EmailVerificationOut(_Out):
    verified: bool


class AccountExtensionsOut(BaseModel):
    model_config = ConfigDict(extra="allow")
    email_verification: EmailVerificationOut


class AccountOut(_Out):
    user: UserOut
    recent_order: RecentOrderOut
    meta: AccountMetaOut
    extensions: AccountExtensionsOut


class UpdatedAccountOut(_Out):
    success: bool
    message: str
    email_verification_pending: bool


class ChangedAddressesOut(_Out):
    addresses: AddressesOut


class VerifiedOut(_Out):
    success: bool
    email: str


class SentOut(_Out):
    success: bool
    status: Literal["sent", "throttled"]


class ForgottenOut(_Out):
    deleted: bool


class ActionOut(_Out):
    url: str
    name: str
    label: str


class DownloadOut(_Out):
    product_name: str
    download_name: str
    file: str
    downloads_remaining: str
    download_expires: str


class OrderEntryOut(_Out):
    order_id: int
    order_status: str
    order_date: str
    item_count: int
    order_total: str
    order_actions: dict[str, ActionOut]


class PaginationOut(_Out):
    """In v2 a page that is not there has no key; in preview it is null."""

    previous: str | None = None
    next: str | None = None


class OrdersOut(_Out):
    orders: list[OrderEntryOut]
    pagination: PaginationOut | list[Any]


class MyOrderItemOut(_Out):
    item_id: int
    product_id: int
    variation_id: int
    product_image: str
    product_name: str
    product_title: str
    product_type: str
    sku: str
    quantity: str
    subtotal: str
    purchase_note: str
    refunded_qty: str
    meta: dict[str, Any] | list[Any]
    link: str


class TotalRowOut(_Out):
    label: str
    value: str


class OrderNoteOut(_Out):
    date: str
    note: str


class OrderOut(_Out):
    order_id: int
    order_key: str
    order_number: str
    order_parent: int
    order_date: str
    order_status: str
    order_currency: str
    billing_address: str
    shipping_address: str
    phone: str
    email: str
    ship_to_billing: bool
    items: list[MyOrderItemOut]
    totals: dict[str, TotalRowOut]
    order_note: str
    order_notes: list[OrderNoteOut]
    downloads: list[DownloadOut]
    order_actions: dict[str, ActionOut] | list[Any]


class CancelledOut(_Out):
    success: bool
    order_id: int
    order_status: str
