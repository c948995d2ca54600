"""Payment methods that a customer may pay with again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import stripe

from checkstand.payments.gateways.stripe.api import Api, named
from checkstand.payments.gateways.stripe.intents import Intent, Unreadable
from checkstand.payments.model import SavedMethod

_log = logging.getLogger(__name__)
_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "Eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


async def saved(api: Api, intent: Intent) -> SavedMethod | None:
    """What a paid intent has kept with the customer; None when it was not asked to."""
    if not (intent.keeps_method and intent.customer and intent.method):
        return None
    try:
        found = await api.method(intent.method)
    except (stripe.StripeError, Unreadable) as error:
        # It has paid and is kept: that its name is not known now must not spoil either.
        reason = named(error) if isinstance(error, stripe.StripeError) else str(error)
        _log.warning("no details of a saved method: %s", reason)
        found = {}
    card = found.get("card")
    return _described(intent, card if isinstance(card, Mapping) else {})


def _described(intent: Intent, card: Mapping[str, Any]) -> SavedMethod:
    brand, last4 = _BRANDS.get(str(card.get("brand")), "Card"), str(card.get("last4") or "")
    month, year = card.get("exp_month"), card.get("exp_year")
    dated = isinstance(month, int) and isinstance(year, int)
    return SavedMethod(
        token=intent.method,
        label=f"{brand} ending in {last4}" if len(last4) == 4 and last4.isdigit() else brand,
        expires=f"{month:02d}/{year:04d}" if dated else None,
        customer=intent.customer,
    )
