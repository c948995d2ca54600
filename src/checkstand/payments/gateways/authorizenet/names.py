"""What an attempt or a refund is called at Authorize.Net, which leaves 20 characters for it.

An attempt's id has 36. The invoice number is a digest of it, 100 bits in 20 letters and digits, so
two attempts of a shop with a thousand million share one with a probability of 1 in 10^12. And
sharing one would do no harm: the whole id is kept as the order's description, and what is found by
invoice number counts only if that agrees.
"""

from __future__ import annotations

import base64
import hashlib
import re

_OURS = re.compile(r"[A-Za-z0-9_-]{1,64}")


def ours(description: str) -> str:
    """The attempt that a transaction's description names; "" when another program wrote it."""
    return description if _OURS.fullmatch(description) else ""


def invoice(name: str) -> str:
    """20 characters, A to Z and 2 to 7: the invoice number, and the `refId` of the request."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:20]


def order(name: str) -> dict[str, str]:
    """The order that a transaction is for, as the API takes it."""
    return {"invoiceNumber": invoice(name), "description": name[:255]}
