"""Taking webhooks in: verified on the raw bytes, stored once, answered at once.

A webhook is a hint, never a fact: what it leads to is a look-up at the provider, settled by the
same door as everything else. So it does not matter in which order they come, how late, or how
often.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from checkstand.errors import PaymentMethodUnknown, ProviderSilent, Refusal, WebhookRefused
from checkstand.kit.clock import Clock
from checkstand.payments.service import NOTHING_DUE, Payments
from checkstand.payments.store import notices
from checkstand.storage.database import Database

_log = logging.getLogger(__name__)
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Inbound:
    """`arrived` is set for the worker in this process."""

    database: Database
    payments: Payments
    clock: Clock
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, gateway_id: str, raw: bytes, headers: Mapping[str, str]) -> None:
        """Stores a notice that is the provider's; WebhookRefused otherwise, ProviderSilent when the
        provider has to be asked for that and does not answer: it will send it again."""
        gateway = self.payments.gateways.get(gateway_id)
        if gateway is None or gateway_id == NOTHING_DUE:
            raise PaymentMethodUnknown
        try:
            async with asyncio.timeout(gateway.timeout):
                notice = await gateway.parse_webhook(raw, headers)
        except Refusal:
            raise
        except (TimeoutError, OSError):
            raise ProviderSilent(retry_after=30) from None
        except Exception as error:
            _log.error("a webhook of %s cannot be read: %s", gateway_id, type(error).__name__)
            raise WebhookRefused("The webhook cannot be read.") from None
        if notice is None:
            return
        if not 0 < len(notice.id) <= _LONGEST:
            raise WebhookRefused("The webhook has no id.")
        async with self.database.transaction() as connection:
            new = await notices.insert(connection, gateway_id, notice, self.clock.now())
        if new:
            self.arrived.set()
