"""The Authorize.Net gateway: no idempotency keys, so nonces, names and look-ups instead.

- The payment nonce of Accept.js can be used once and lives 15 minutes. So the same request can
  never charge twice, and a request that got lost cannot charge any more once those 15 minutes are
  over: then, and not before, a charge that Authorize.Net does not list is declined for good.
- Every transaction carries the attempt's name (see `names`). Before a charge that may be the second
  one, and whenever an answer was lost, it is looked for under that name.
- Of two that should be one, the later is voided; so is one that turns up after the attempt was
  given up. Neither has been settled then, so no money moves.
- `duplicateWindow` makes Authorize.Net refuse the same card, amount and invoice number for 8 hours.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from checkstand.kit.clock import Clock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.authorizenet import ledger, names, reasons, refunds, requests
from checkstand.payments.gateways.authorizenet.account import Account
from checkstand.payments.gateways.authorizenet.answers import Said, said
from checkstand.payments.gateways.authorizenet.api import Answer, Api
from checkstand.payments.gateways.authorizenet.ledger import Transaction
from checkstand.payments.gateways.authorizenet.webhooks import Webhooks
from checkstand.payments.gateways.payment_data import Unusable
from checkstand.payments.gateways.remembered import Remembered
from checkstand.payments.gateways.silence import Silent, spoken
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Funds,
    Outcome,
    Refund,
    Unknown,
)

_log = logging.getLogger(__name__)

CURRENCIES = frozenset({"AUD", "CAD", "DKK", "EUR", "GBP", "NOK", "NZD", "PLN", "SEK", "USD"})
"""What Authorize.Net takes; one account takes one of them, and refuses the others."""
NONCE_LIVES = timedelta(minutes=15)
_MARGIN = timedelta(minutes=1)
_LOOKS = 2
"""A transaction that is being settled may be between the lists: not found once is not enough."""
_GONE = "The payment did not reach the card's bank. You have not been charged; please try again."


def gateway(
    *,
    environment: str = "sandbox",
    api_login_id: str = "",
    transaction_key: str = "",
    public_client_key: str = "",
    signature_key: str = "",
    capture: str = "automatic",
    api_base: str = "",
    title: str = "",
    description: str = "",
    house: House,
    timeout: float,
) -> AuthorizeNetGateway:
    """Of the settings section `gateways.authorizenet`, secrets unwrapped. `timeout` in seconds."""
    account = Account(environment, api_login_id, transaction_key, public_client_key, signature_key)
    return AuthorizeNetGateway(
        description=account.description(title, description),
        timeout=timeout,
        account=account,
        at_once=capture == "automatic",
        clock=house.clock,
        api=Api(environment, api_base, api_login_id, transaction_key, timeout * 0.4),
        webhooks=Webhooks(signature_key, house.clock),
    )


@dataclass(frozen=True, slots=True)
class AuthorizeNetGateway:
    """See checkstand.payments.gateway.Gateway. `at_once`: money is taken with the order."""

    description: Description
    timeout: float
    account: Account
    at_once: bool
    clock: Clock
    api: Api = field(repr=False)
    webhooks: Webhooks = field(repr=False)
    asked: Remembered = field(default_factory=Remembered, repr=False)
    given_up: Remembered = field(default_factory=Remembered, repr=False)

    async def context(self, due: Due) -> Context:
        """Nothing is prepared at Authorize.Net: the payment begins when it is charged."""
        return Context(self.account.storefront())

    def browser_payment(self, payment: Mapping[str, Any]) -> str:
        return ""

    async def charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        return await spoken(self._charge(attempt, payment), attempt.reference, self.timeout)

    async def lookup(self, attempt: Attempt) -> Outcome:
        return await spoken(self._look_up(attempt), attempt.reference, self.timeout)

    async def capture(self, attempt: Attempt, amount: Money) -> Outcome:
        return await spoken(self._capture(attempt, amount), attempt.reference, self.timeout)

    async def void(self, attempt: Attempt) -> Outcome:
        return await spoken(self._void(attempt), attempt.reference, self.timeout)

    async def refund(self, refund: Refund) -> Outcome:
        return await spoken(self._refund(refund), refund.reference, self.timeout)

    async def parse_webhook(self, raw: bytes, headers: Mapping[str, str]) -> Notice | None:
        """A notification carries no more than 20 characters of ours, so Authorize.Net is asked
        whose transaction it is. When it keeps silent, the notice has the reference only."""
        told = self.webhooks.told(raw, headers)
        if told is None:
            return None
        try:
            found = await ledger.by_id(self.api, told.transaction)
        except Silent as silence:
            _log.warning("whose transaction a webhook is about: %s", silence)
            found = None
        if found is not None and found.of:  # a refund: it is about what it refers to
            return Notice(told.id, told.kind, reference=found.of)
        name = names.ours(found.name) if found is not None else ""
        return Notice(told.id, told.kind, attempt_id=name, reference=told.transaction)

    def complaints(self) -> list[str]:
        return self.account.complaints()

    async def close(self) -> None:
        await self.api.close()

    # --- charging -------------------------------------------------------------------------------

    async def _charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        if attempt.amount.currency.code not in CURRENCIES:
            return reasons.plain(
                "currency_not_supported",
                "This way of paying does not take the currency of the order.",
                text=f"Authorize.Net takes {', '.join(sorted(CURRENCIES))}.",
            )
        if attempt.id in self.given_up:
            return reasons.plain("not_received", _GONE)
        first = not (attempt.repeated or attempt.reference) and attempt.id not in self.asked
        if not first:
            known = await self._found(attempt)
            if known is not None:
                return await self._outcome(attempt, known)
        try:
            nonce = requests.Nonce.read(payment)
        except Unusable as unusable:
            # Of an attempt that Authorize.Net may know, no payment data proves nothing.
            return unusable.declined() if first else await self._look_up(attempt)
        self.asked.add(attempt.id)
        body = requests.charge(attempt, nonce, at_once=self.at_once)
        answer = await self.api.ask("createTransactionRequest", body)
        return await self._charged(attempt, answer, first=first)

    async def _charged(self, attempt: Attempt, answer: Answer, *, first: bool) -> Outcome:
        told = said(answer)
        if told.response == "1":
            funds = Funds.CAPTURED if self.at_once else Funds.AUTHORISED
            return Approved(funds, told.transaction)
        if told.response == "4":
            return Unknown("held for review", told.transaction)
        if told.reason in reasons.NOT_FINAL:
            return Unknown(f"reason {told.reason}", told.transaction)
        if told.response == "" or told.reason == "11":
            return await self._turned_away(attempt, told, first=first)
        return reasons.declined(told.reason, told.text)

    async def _turned_away(self, attempt: Attempt, told: Said, *, first: bool) -> Outcome:
        """Not looked into, or seen as a duplicate: it says nothing of what was asked before. A
        nonce that was used may have been used by the same request, delivered twice."""
        if first and told.api_code in reasons.AT_THE_DOOR:
            return reasons.refused(told.api_code, told.text)
        known = await self._found(attempt)
        if known is not None:
            return await self._outcome(attempt, known)
        if told.reason == "11":
            return Unknown("a duplicate of what is not listed yet")
        if first:
            return reasons.refused(told.api_code, told.text)
        return await self._look_up(attempt)

    # --- finding --------------------------------------------------------------------------------

    async def _look_up(self, attempt: Attempt) -> Outcome:
        known = await self._found(attempt)
        if known is not None:
            return await self._outcome(attempt, known)
        if attempt.id not in self.given_up:
            age = self.clock.now() - attempt.created_at
            if age < NONCE_LIVES + _MARGIN or attempt.looks < _LOOKS:
                return Unknown("not listed, but its nonce may still be good", attempt.reference)
            self.given_up.add(attempt.id)
        return reasons.plain("not_received", _GONE)

    async def _found(self, attempt: Attempt) -> Transaction | None:
        """The transaction that counts for the attempt; what should not be beside it is voided.
        Silent when Authorize.Net does not know the one that it named itself: then the account is
        another one, and proves nothing."""
        if attempt.reference:
            known = await ledger.by_id(self.api, attempt.reference)
            if known is None or known.name != attempt.id:
                _log.error("authorize.net does not know %s: another account?", attempt.reference)
                raise Silent("its own transaction is not known")
            return known
        found = await ledger.by_name(self.api, attempt.id, attempt.created_at, self.clock.now())
        holding = ledger.CAPTURED | ledger.RESERVED | ledger.HELD
        good = [each for each in found if each.status in holding]
        for extra in good[1:]:
            _log.error("attempt %s has a second transaction, %s: voided", attempt.id, extra.id)
            await self._let_go(attempt, extra.id)
        return good[0] if good else (found[-1] if found else None)

    async def _outcome(self, attempt: Attempt, known: Transaction) -> Outcome:
        over = attempt.state in (AttemptState.DECLINED, AttemptState.VOID)
        if over or attempt.id in self.given_up:
            return await self._unwanted(attempt, known)
        if known.status in ledger.CAPTURED:
            return taken.captured(attempt, known.id, known.amount)
        if known.status in ledger.RESERVED:
            return Approved(Funds.AUTHORISED, known.id)
        if known.status in ledger.GONE:
            return reasons.plain("voided", _GONE, text=known.status)
        if known.status in ledger.REFUSED:
            return reasons.declined(known.reason or "2", known.reason_text)
        return Unknown(f"the transaction is {known.status}", known.id)

    async def _unwanted(self, attempt: Attempt, known: Transaction) -> Outcome:
        """It turned up after the shopper was told that nothing was charged: it must not stay."""
        if known.status in ledger.CAPTURED | ledger.RESERVED | ledger.HELD:
            _log.error("attempt %s was given up, and has %s: voided", attempt.id, known.id)
            left = await self._let_go(attempt, known.id)
            if left.status in ledger.CAPTURED:  # too late to void: it was settled
                return taken.captured(attempt, left.id, left.amount)
            if left.status not in ledger.GONE:
                return Unknown(f"the transaction is still {left.status}", known.id)
        return reasons.plain("not_received", _GONE)

    async def _let_go(self, attempt: Attempt, reference: str) -> Transaction:
        """The transaction after it was asked to be voided, whether that worked or not."""
        await self.api.ask("createTransactionRequest", requests.void(attempt.id, reference))
        left = await ledger.by_id(self.api, reference)
        if left is None:
            raise Silent("the transaction is not there any more")
        return left

    # --- afterwards -----------------------------------------------------------------------------

    async def _capture(self, attempt: Attempt, amount: Money) -> Outcome:
        known = await self._found(attempt)
        if known is None or known.status in ledger.GONE | ledger.REFUSED:
            return reasons.plain(
                "not_authorised", "Nothing is reserved any more: it was let go of."
            )
        if known.status in ledger.CAPTURED:
            return _captured(attempt, known, amount)
        if known.status not in ledger.RESERVED:
            return Unknown(f"the transaction is {known.status}", known.id)
        if amount.major() > known.amount or amount.currency != attempt.amount.currency:
            return reasons.plain(
                "amount_too_high", "Authorize.Net cannot take more than was reserved."
            )
        body = requests.capture(attempt, known.id, amount)
        told = said(await self.api.ask("createTransactionRequest", body))
        if told.response == "1":
            return taken.captured(attempt, known.id, amount.major())
        left = await ledger.by_id(self.api, known.id)
        if left is not None and left.status in ledger.CAPTURED:
            return _captured(attempt, left, amount)
        if told.response in ("2", "3") and told.reason not in reasons.NOT_FINAL:
            return reasons.declined(told.reason, told.text)
        return Unknown(f"not captured: {told.reason or told.api_code}", known.id)

    async def _void(self, attempt: Attempt) -> Outcome:
        known = await self._found(attempt)
        if known is None:
            lost = await self._look_up(attempt)
            return lost if isinstance(lost, Unknown) else Approved(Funds.RETURNED)
        if known.status in ledger.RESERVED | ledger.HELD:
            known = await self._let_go(attempt, known.id)
        if known.status in ledger.CAPTURED:
            return reasons.plain("already_captured", "The money was taken; refund it instead.")
        if known.status in ledger.GONE | ledger.REFUSED:
            self.given_up.add(attempt.id)
            return Approved(Funds.RETURNED, known.id)
        return Unknown(f"the transaction is still {known.status}", known.id)

    async def _refund(self, refund: Refund) -> Outcome:
        known = await self._found(refund.attempt)
        if known is None:
            return Unknown("the payment to refund is not listed")
        asked_before = refund.repeated or not self.asked.add(refund.id)
        return await refunds.refund(
            self.api, known, refund, self.clock.now(), asked_before=asked_before
        )


def _captured(attempt: Attempt, known: Transaction, amount: Money) -> Outcome:
    """The answer to a capture of `amount` when there is a captured transaction already."""
    return taken.as_asked(taken.captured(attempt, known.id, known.amount), attempt, amount)
