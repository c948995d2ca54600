"""Orders of before the account: they become those of who proves that their e-mail address is his
(contract v2-accounts.md 12). Nobody gets them by typing an address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from checkstand import audit
from checkstand.access import account_store
from checkstand.access.principal import Caller
from checkstand.accounts import mailed_keys
from checkstand.accounts.correspondence import Correspondence
from checkstand.accounts.letters import Occasion
from checkstand.accounts.registration import ONE_LETTER_IN
from checkstand.errors import (
    EmailAlreadyVerified,
    KeyInvalidOrExpired,
    MailNotOffered,
    MyAccountDenied,
)
from checkstand.orders import history_store
from checkstand.storage.database import Connection, Database


@dataclass(frozen=True, slots=True)
class EarlierOrders:
    database: Database
    letters: Correspondence
    now: Callable[[], datetime]

    async def ask(self, caller: Caller) -> bool:
        """Writes to the account's address. False when that was done within a minute;
        EmailAlreadyVerified when there is nothing to prove."""
        if caller.account is None:
            raise MyAccountDenied
        if not self.letters.open:
            raise MailNotOffered
        async with self.database.transaction() as connection:
            stored = await account_store.by_id(connection, caller.account.id, lock=True)
            if stored is None:
                raise MyAccountDenied
            if stored.proven:
                raise EmailAlreadyVerified
            since, about = self.now() - ONE_LETTER_IN, Occasion.EARLIER_ORDERS
            if await self.letters.lately(connection, stored.account.id, about, since):
                return False
            await self.letters.write(connection, about, stored)
        self.letters.send()
        return True

    async def prove(self, caller: Caller, key: str, account_id: int) -> str:
        """The address, once its orders are the caller's. The key works for the account that it was
        mailed to, while that is signed in: MyAccountDenied or KeyInvalidOrExpired."""
        if caller.account is None or caller.account.id != account_id:
            raise MyAccountDenied("Sign in as the account that the link was mailed to.")
        async with self.database.transaction() as connection:
            found = await mailed_keys.use(connection, key, "orders", self.now())
            if found is None or found[0].account.id != account_id:
                raise KeyInvalidOrExpired
            await proven(connection, account_id, found[1])
        return found[1]


async def proven(connection: Connection, account_id: int, email: str) -> None:
    """The account's address is proven to be its owner's: guests' orders with it are his."""
    await account_store.prove_email(connection, account_id, email)
    given = await history_store.give(connection, account_id, email)
    detail = {"orders": given[:100], "count": len(given)}
    await audit.record(connection, "account.email_proven", f"account {account_id}", detail)
