"""What customers have saved to pay with, as its owner sees and forgets it."""

from __future__ import annotations

from dataclasses import dataclass

from checkstand import audit
from checkstand.access.principal import Account, Caller
from checkstand.errors import MyAccountDenied, SavedMethodNotFound
from checkstand.payments.store import tokens
from checkstand.payments.store.tokens import SavedToken
from checkstand.storage.database import Database

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SavedMethods:
    database: Database

    async def all(self, caller: Caller) -> list[SavedToken]:
        """The caller's, the default one first."""
        account = _signed_in(caller)
        async with self.database.acquire() as connection:
            return await tokens.of_customer(connection, account.id)

    async def forget(self, caller: Caller, token_id: int) -> None:
        """Nobody pays with it here any more; the newest of the same gateway becomes the default.
        SavedMethodNotFound, also for another's."""
        account = _signed_in(caller)
        if not 0 < token_id <= _LARGEST_ID:
            raise SavedMethodNotFound
        async with self.database.transaction() as connection:
            gateway = await tokens.forget(connection, account.id, token_id)
            if gateway is None:
                raise SavedMethodNotFound
            subject, detail = f"account {account.id}", {"gateway": gateway}
            await audit.record(connection, "payment_method.forgotten", subject, detail)


def _signed_in(caller: Caller) -> Account:
    if caller.account is None:
        raise MyAccountDenied
    return caller.account
