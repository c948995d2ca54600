"""A provider that says nothing, or nothing in time: nobody knows what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from checkstand.payments.model import Outcome, Unknown

_OURS = 0.95
"""Of the time that a gateway is given: so that it can still say what it knows."""


class Silent(Exception):
    """No answer, or none that can be read: the request may or may not have had its effect."""


async def spoken(work: Awaitable[Outcome], reference: str, within: float) -> Outcome:
    """The outcome of `work`; Unknown when the provider keeps silent or takes longer than most of
    `within` seconds. `reference`: its name for the payment, as far as it is known."""
    try:
        async with asyncio.timeout(within * _OURS):
            return await work
    except Silent as silence:
        return Unknown(str(silence), reference)
    except TimeoutError:
        return Unknown("the answers took too long", reference)
