"""The Square gateway: reserve first, take after.

Square can cancel a payment by its idempotency key, but that does nothing to a request that has not
arrived yet: one that was lost on the way, and comes late, would still charge. So no request of ours
ever takes money by itself. CreatePayment reserves (`autocomplete: false`), and CompletePayment,
which needs the payment's id, takes. Then:

- A payment that went through is found, by its id or in ListPayments by `reference_id`, which is the
  attempt's id, and finished. It is never cancelled while the attempt is open.
- One that is not listed when it must be (Square says: within seconds) is cancelled by its key, in
  case it is there unlisted, and is declined. Should its request arrive later still, it can only
  reserve: nobody completes it, the webhook about it makes `lookup` cancel it, and if there are no
  webhooks Square lets go of it after a day.
  What this process itself still has in hand is stopped by `given_up`.
- While the client's payment data is at hand, the same request under the same key is asked again:
  Square answers with the first payment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from checkstand.kit.clock import Clock
from checkstand.kit.money import Money
from checkstand.payments.gateway import Context, Description, Due, House, Notice
from checkstand.payments.gateways import taken
from checkstand.payments.gateways.payment_data import Unusable
from checkstand.payments.gateways.remembered import Remembered
from checkstand.payments.gateways.silence import Silent, spoken
from checkstand.payments.gateways.square import orders, refunds
from checkstand.payments.gateways.square.account import Account
from checkstand.payments.gateways.square.api import (
    Answer,
    Api,
    Problem,
    Seen,
    codes_of,
    unreadable,
)
from checkstand.payments.gateways.square.declines import declined, judged, plain
from checkstand.payments.gateways.square.webhooks import Webhooks
from checkstand.payments.model import (
    Approved,
    Attempt,
    AttemptState,
    Declined,
    Funds,
    NeedsAction,
    Outcome,
    Refund,
    Unknown,
)

_log = logging.getLogger(__name__)

CURRENCIES = frozenset({"AUD", "CAD", "EUR", "GBP", "JPY", "USD"})
"""What Square takes; one location takes one of them, and Square refuses the others."""
LISTED_WITHIN = timedelta(seconds=30)
"""ListPayments may lag by several seconds (Square's reference): earlier, absence proves nothing."""
_SKEW = timedelta(minutes=5)
_EARLIEST = datetime(2013, 1, 1, tzinfo=UTC)
_MOST_PAGES = 20  # of 100 payments
_BEST_FIRST = ("COMPLETED", "APPROVED", "PENDING")
_GONE = "The payment did not reach the card's bank. You have not been charged; please try again."


def gateway(
    *,
    environment: str = "sandbox",
    access_token: str = "",
    application_id: str = "",
    location_id: str = "",
    webhook_signature_key: str = "",
    webhook_url: str = "",
    capture: str = "automatic",
    api_base: str = "",
    title: str = "",
    description: str = "",
    house: House,
    timeout: float,
) -> SquareGateway:
    """Of the settings section `gateways.square`, secrets unwrapped. `timeout` in seconds."""
    account = Account(environment, access_token, application_id, location_id)
    return SquareGateway(
        description=account.description(title, description),
        timeout=timeout,
        account=account,
        at_once=capture == "automatic",
        clock=house.clock,
        api=Api(environment, api_base, access_token, timeout * 0.4),
        webhooks=Webhooks(
            webhook_url or house.webhook_url("square"), webhook_signature_key, house.clock
        ),
    )


@dataclass(frozen=True, slots=True)
class SquareGateway:
    """See checkstand.payments.gateway.Gateway. `at_once`: money is taken with the order."""

    description: Description
    timeout: float
    account: Account
    at_once: bool
    clock: Clock
    api: Api = field(repr=False)
    webhooks: Webhooks = field(repr=False)
    given_up: Remembered = field(default_factory=Remembered, repr=False)

    async def context(self, due: Due) -> Context:
        """Square needs nothing prepared: the payment begins when it is charged."""
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
        return self.webhooks.notice(raw, headers)

    def complaints(self) -> list[str]:
        return self.account.complaints()

    async def close(self) -> None:
        await self.api.close()

    # --- charging -------------------------------------------------------------------------------

    async def _charge(self, attempt: Attempt, payment: Mapping[str, Any]) -> Outcome:
        if attempt.amount.currency.code not in CURRENCIES:
            return plain(
                "currency_not_supported",
                "This way of paying does not take the currency of the order.",
                f"Square takes {', '.join(sorted(CURRENCIES))}.",
            )
        if attempt.id in self.given_up:
            return plain("not_received", _GONE)
        asked_before = _asked_before(attempt)
        if asked_before:
            known = _best(await self._seen(attempt))
            if known is not None and not known.needs_verification:
                return await self._finished(attempt, known)
        try:
            source = orders.Source.read(payment)
        except Unusable as unusable:
            # Of an attempt that Square may know, no payment data proves nothing.
            return await self._look_up(attempt) if asked_before else unusable.declined()
        body = orders.charge_body(attempt, source, self.account.location_id, self.at_once)
        answer = await self.api.ask("POST", "/v2/payments", body)
        if answer.accepted:
            return await self._finished(attempt, Seen.of(answer.body.get("payment")))
        return await self._refused(attempt, answer)

    async def _refused(self, attempt: Attempt, answer: Answer) -> Outcome:
        problems = answer.problems()
        codes = {problem.code for problem in problems}
        if "IDEMPOTENCY_KEY_REUSED" in codes:
            # Asked before with other data, so there is one already, or was.
            return await self._look_up(replace(attempt, repeated=True))
        if problems[0].category == "API_ERROR" or codes & {"CONFLICT", "TEMPORARY_ERROR"}:
            raise Silent(f"answered {answer.status}, not final")
        if _asked_before(attempt) and not judged(problems[0]):
            # Turned away at the door: it says nothing about what was asked before.
            return await self._look_up(attempt)
        if "CARD_DECLINED_VERIFICATION_REQUIRED" in codes:
            raw = answer.body.get("payment")
            return self._verification(attempt, Seen.of(raw).id if raw else "")
        return declined(problems)

    def _is_over(self, attempt: Attempt) -> bool:
        closed = attempt.state in (AttemptState.DECLINED, AttemptState.VOID)
        return closed or attempt.id in self.given_up

    def _verification(self, attempt: Attempt, reference: str) -> Outcome:
        """The browser tokenises again with these details, Square's script asks the bank, and the
        shopper sends the new token. One such round: a second refusal is a decline."""
        if attempt.reference and attempt.reference != reference:
            return declined([Problem("CARD_DECLINED_VERIFICATION_REQUIRED")])
        return NeedsAction(
            redirect_url="",
            action_type="square_verify_buyer",
            action_data={
                **self.account.storefront(),
                "intent": "CHARGE",
                "amount": attempt.amount.in_iso().decimal(),
                "currency_code": attempt.amount.currency.code,
            },
            reference=reference,
        )

    async def _finished(self, attempt: Attempt, seen: Seen) -> Outcome:
        """The outcome of a payment that Square has; an open attempt's reserved money is taken."""
        match seen.status:
            case "COMPLETED":
                return taken.captured(attempt, seen.id, seen.major())
            case "APPROVED" if self._is_over(attempt):
                # It came after the attempt was given up: it must not stay.
                left = await self._cancelled(seen.id)
                if left.status == "COMPLETED":  # by hand, in Square's dashboard
                    return taken.captured(attempt, left.id, left.major())
                return plain("canceled", _GONE)
            case "APPROVED" if self.at_once and attempt.state.live:
                return await self._completed(attempt, seen.id)
            case "APPROVED":
                return Approved(Funds.AUTHORISED, seen.id)
            case "CANCELED":
                return declined([Problem("CANCELED")])
            case "FAILED" if seen.needs_verification:
                return self._verification(attempt, seen.id)
            case "FAILED":
                return declined(seen.problems)
        return Unknown(f"the payment is {seen.status}", seen.id)

    async def _completed(self, attempt: Attempt, reference: str) -> Outcome:
        """Takes what is reserved. Square refuses to do it twice; then it tells how things are."""
        try:
            answer = await self.api.ask("POST", f"/v2/payments/{reference}/complete", {})
            seen = Seen.of(answer.body.get("payment")) if answer.accepted else None
            seen = seen or await self._by_id(reference)
        except Silent as silence:
            return Unknown(str(silence), reference)
        if seen is not None and seen.status == "COMPLETED":
            return taken.captured(attempt, reference, seen.major())
        if seen is not None and seen.status in ("CANCELED", "FAILED"):
            return declined(seen.problems or [Problem(seen.status)])
        return Unknown("the payment could not be completed", reference)

    # --- finding --------------------------------------------------------------------------------

    async def _look_up(self, attempt: Attempt) -> Outcome:
        best = _best(await self._seen(attempt))
        if best is not None and not self._may_be_outdated(attempt, best):
            return await self._finished(attempt, best)
        if self.clock.now() - attempt.created_at < LISTED_WITHIN:
            return Unknown("not listed, which may only be too early", attempt.reference)
        if not await self._cancelled_by_key(attempt):
            return Unknown("not listed, and not cancelled either", attempt.reference)
        self.given_up.add(attempt.id)
        return plain("not_received", _GONE)

    def _may_be_outdated(self, attempt: Attempt, best: Seen) -> bool:
        """Whether the payment that the bank wanted checked may have a successor not listed yet:
        the shopper has come back, and the answer to that was lost."""
        return (
            best.needs_verification
            and best.id == attempt.reference
            and attempt.state is not AttemptState.NEEDS_ACTION
        )

    async def _seen(self, attempt: Attempt) -> list[Seen]:
        """Every payment that Square has for the attempt, the latest first. Silent when it does not
        know the one that it named itself: then the account is another one, and proves nothing."""
        if attempt.reference:
            known = await self._by_id(attempt.reference)
            if known is None:
                _log.error("square does not know %s: is it another account?", attempt.reference)
                raise Silent("its own payment is not known")
            if not known.needs_verification:
                return [known]
        return await self._listed(attempt)

    async def _by_id(self, reference: str) -> Seen | None:
        answer = await self.api.ask("GET", f"/v2/payments/{reference}")
        if answer.accepted:
            return Seen.of(answer.body.get("payment"))
        if answer.status == 404:
            return None
        raise unreadable(answer)

    async def _listed(self, attempt: Attempt) -> list[Seen]:
        """By `reference_id`; Silent when the lists are too long to be sure that it is not there."""
        name = orders.reference_id(attempt)
        query = {"location_id": self.account.location_id, "sort_order": "DESC", "limit": "100"}
        if attempt.created_at > _EARLIEST:
            query["begin_time"] = (attempt.created_at - _SKEW).isoformat()
        found: list[Seen] = []
        for _ in range(_MOST_PAGES):
            answer = await self.api.ask("GET", "/v2/payments", query=query)
            if not answer.accepted:
                raise unreadable(answer)
            payments = answer.body.get("payments")
            for raw in payments if isinstance(payments, list) else ():
                seen = Seen.of(raw)
                if seen.reference_id == name:
                    found.append(seen)
            cursor = answer.body.get("cursor")
            if not isinstance(cursor, str) or not cursor:
                return found
            query["cursor"] = cursor
        raise Silent("too many payments to look through")

    async def _cancelled_by_key(self, attempt: Attempt) -> bool:
        """Whether nothing that was asked for under the attempt's keys holds money any more."""
        for key in orders.charge_keys(attempt):
            answer = await self.api.ask("POST", "/v2/payments/cancel", {"idempotency_key": key})
            if not answer.accepted:
                _log.warning("square did not cancel by key: %s", codes_of(answer))
                return False
        return True

    async def _cancelled(self, reference: str) -> Seen:
        """The payment after it was asked to be cancelled, whether that worked or not."""
        answer = await self.api.ask("POST", f"/v2/payments/{reference}/cancel", {})
        seen = Seen.of(answer.body.get("payment")) if answer.accepted else None
        seen = seen or await self._by_id(reference)
        if seen is None:
            raise Silent("the payment is not there any more")
        return seen

    # --- afterwards -----------------------------------------------------------------------------

    async def _capture(self, attempt: Attempt, amount: Money) -> Outcome:
        seen = _best(await self._seen(attempt))
        if seen is None or seen.status in ("CANCELED", "FAILED"):
            return plain("not_authorised", "Nothing is reserved any more: it was let go of.")
        if seen.status == "COMPLETED":
            return taken.as_asked(taken.captured(attempt, seen.id, seen.major()), attempt, amount)
        if seen.status != "APPROVED":
            return Unknown(f"the payment is {seen.status}", seen.id)
        asked = amount.in_iso()
        if asked.minor > seen.minor or asked.currency.code != seen.currency:
            return plain("amount_too_high", "Square cannot take more than was reserved.")
        if asked.minor < seen.minor:
            refusal = await self._lowered(attempt, seen, amount)
            if refusal is not None:
                return refusal
        return taken.as_asked(await self._completed(attempt, seen.id), attempt, amount)

    async def _lowered(self, attempt: Attempt, seen: Seen, amount: Money) -> Declined | None:
        """CompletePayment takes all that is reserved, so the reservation is made smaller first."""
        money = orders.money(amount)
        body = {
            "idempotency_key": orders.key(attempt.id, "amount", str(money["amount"])),
            "payment": {"amount_money": money, "version_token": seen.version_token},
        }
        answer = await self.api.ask("PUT", f"/v2/payments/{seen.id}", body)
        return None if answer.accepted else declined(answer.problems())

    async def _void(self, attempt: Attempt) -> Outcome:
        seen = _best(await self._seen(attempt))
        if seen is not None and seen.status in ("APPROVED", "PENDING"):
            seen = await self._cancelled(seen.id)
        if seen is not None and seen.status == "COMPLETED":
            return plain("already_captured", "The money was taken; refund it instead.")
        if seen is not None and seen.status in ("APPROVED", "PENDING"):
            return Unknown(f"the payment is still {seen.status}", seen.id)
        if (seen is None or seen.status == "FAILED") and not await self._cancelled_by_key(attempt):
            return Unknown("not listed, and not cancelled either", attempt.reference)
        self.given_up.add(attempt.id)
        return Approved(Funds.RETURNED, seen.id if seen else "")

    async def _refund(self, refund: Refund) -> Outcome:
        seen = _best(await self._seen(refund.attempt))
        if seen is None:
            return Unknown("the payment to refund is not listed")
        return await refunds.refund(self.api, seen, refund)


def _asked_before(attempt: Attempt) -> bool:
    return attempt.repeated or bool(attempt.reference)


def _best(payments: list[Seen]) -> Seen | None:
    """The one that says what became of the attempt: money first, then the latest."""
    for status in _BEST_FIRST:
        for seen in payments:
            if seen.status == status:
                return seen
    return max(payments, key=lambda seen: seen.created_at, default=None)
