"""Asking Square over HTTP, and what its answers say.

An answer is either read in full or it is Silent: whoever asked to move money then knows nothing,
and must find out. Nothing is asked twice here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2

from checkstand.kit.money import Currency, is_currency
from checkstand.payments.gateways.silence import Silent
from checkstand.payments.gateways.trust import trusted

_log = logging.getLogger(__name__)

VERSION = "2025-01-23"
"""The Square-Version that this was written for; Square keeps answering in its shape."""
_ADDRESSES = {
    "sandbox": "https://connect.squareupsandbox.com",
    "live": "https://connect.squareup.com",
}
# Refused for now, or still under way under the same key: nothing final was said.
_NOT_FINAL = frozenset({408, 409, 425})


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of Square's `errors`."""

    code: str
    category: str = ""
    detail: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Mapping[str, Any] = field(repr=False)

    @property
    def accepted(self) -> bool:
        return self.status < 300

    def problems(self) -> tuple[Problem, ...]:
        return problems_of(self.body.get("errors"))


@dataclass(frozen=True, slots=True)
class Seen:
    """A payment as Square shows it. `minor`: its amount in minor units of `currency`."""

    id: str
    status: str
    minor: int
    currency: str
    reference_id: str = ""
    created_at: str = ""
    version_token: str = ""
    refund_ids: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def major(self) -> Decimal:
        """Its amount in major units: what was taken, once it is COMPLETED."""
        return Currency.of(self.currency).money(self.minor).major()

    @property
    def needs_verification(self) -> bool:
        """Refused, and the bank says that it would not be after a check by the shopper."""
        return self.status == "FAILED" and any(
            problem.code == "CARD_DECLINED_VERIFICATION_REQUIRED" for problem in self.problems
        )

    @classmethod
    def of(cls, raw: Any) -> Seen:
        """Silent for what is no payment."""
        if not isinstance(raw, Mapping) or not _word(raw, "id") or not _word(raw, "status"):
            raise Silent("an answer without a payment")
        money = raw.get("amount_money")
        money = money if isinstance(money, Mapping) else {}
        minor = money.get("amount")
        if not isinstance(minor, int) or not is_currency(_word(money, "currency")):
            raise Silent("a payment without an amount")
        card = raw.get("card_details")
        refunds = raw.get("refund_ids")
        return cls(
            id=_word(raw, "id"),
            status=_word(raw, "status"),
            minor=minor,
            currency=_word(money, "currency"),
            reference_id=_word(raw, "reference_id"),
            created_at=_word(raw, "created_at"),
            version_token=_word(raw, "version_token"),
            refund_ids=tuple(str(each) for each in refunds) if isinstance(refunds, list) else (),
            problems=problems_of(card.get("errors")) if isinstance(card, Mapping) else (),
        )


def _word(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def problems_of(raw: Any) -> tuple[Problem, ...]:
    """The entries of an `errors` list that have a code."""
    if not isinstance(raw, list):
        return ()
    return tuple(
        Problem(
            code=_word(each, "code")[:100],
            category=_word(each, "category")[:100],
            detail=_word(each, "detail")[:300],
            field=_word(each, "field")[:100],
        )
        for each in raw
        if isinstance(each, Mapping) and _word(each, "code")
    )


def codes_of(answer: Answer) -> str:
    """Square's error codes, for the log."""
    return ", ".join(problem.code for problem in answer.problems()) or str(answer.status)


def unreadable(answer: Answer) -> Silent:
    """A question that was refused: bad credentials, too many questions. It settles nothing."""
    _log.error("square refused a question: %s %s", answer.status, codes_of(answer))
    return Silent(f"the question was refused: {codes_of(answer)}")


class Api:
    """One pool of connections to Square; an answer takes at most `limit` seconds."""

    def __init__(self, environment: str, api_base: str, access_token: str, limit: float) -> None:
        self._limit = limit
        self._http = httpx2.AsyncClient(
            base_url=api_base or _ADDRESSES[environment],
            headers={"Authorization": f"Bearer {access_token}", "Square-Version": VERSION},
            timeout=httpx2.Timeout(limit),
            follow_redirects=False,
            verify=trusted(),
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Silent on time-out, 5xx, and whatever is not Square's JSON."""
        try:
            async with asyncio.timeout(self._limit):
                answer = await self._http.request(method, path, json=body, params=query)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Silent(type(error).__name__) from None
        if answer.status_code >= 500 or answer.status_code in _NOT_FINAL:
            raise Silent(f"answered {answer.status_code}")
        try:
            read = answer.json()
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict) or not (answer.is_success or problems_of(read.get("errors"))):
            raise Silent(f"answered {answer.status_code}, unreadable")
        return Answer(answer.status_code, read)

    async def close(self) -> None:
        await self._http.aclose()
