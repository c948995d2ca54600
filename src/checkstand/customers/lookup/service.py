"""Searching addresses, with the first provider that serves the country or the one that is named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from checkstand.customers.addresses import Address, normalised
from checkstand.customers.countries import country_name, country_rules
from checkstand.customers.lookup.provider import (
    MOST_SUGGESTIONS,
    AddressProvider,
    ProviderTrouble,
    Suggestion,
)
from checkstand.errors import (
    AddressCountryNotSupported,
    AddressDetailsFailed,
    AddressIdRequired,
    AddressIncomplete,
    AddressNotFound,
    AddressQueryTooShort,
    AddressSearchFailed,
    NoAddressDetailsProvider,
    NoAddressProvider,
)

SHORTEST_QUERY = 3
"""Characters."""
T = TypeVar("T")
Measure = Callable[[str, str, str, float], None]
"""Told of every question: the provider, `address_search` or `address_details`, `answered`, `failed`
or `silent`, and how many seconds it took."""
_log = logging.getLogger(__name__)


def _unmeasured(provider: str, call: str, outcome: str, seconds: float) -> None:
    """For who does not want to know."""


@dataclass(frozen=True, slots=True)
class AddressLookup:
    """`timeout` is how many seconds a provider gets to answer."""

    providers: tuple[AddressProvider, ...] = ()
    timeout: float = 5.0
    measure: Measure = _unmeasured

    async def search(
        self, query: str, country: str, provider_id: str = ""
    ) -> tuple[AddressProvider, Sequence[Suggestion]]:
        """AddressQueryTooShort, NoAddressProvider, AddressCountryNotSupported,
        AddressSearchFailed."""
        if len(query.strip()) < SHORTEST_QUERY:
            raise AddressQueryTooShort
        named = [p for p in self.providers if not provider_id or p.id == provider_id]
        if not named:
            raise NoAddressProvider
        provider = next((each for each in named if each.serves(country)), None)
        if provider is None:
            raise AddressCountryNotSupported(
                f"Addresses of {country_name(country)} cannot be searched: {country}"
            )
        try:
            asked = provider.suggest(query.strip(), country)
            found = await self._asked(provider, "address_search", asked, _suggestions)
        except ProviderTrouble as trouble:
            raise AddressSearchFailed from trouble
        return provider, found

    async def details(self, address_id: str, provider_id: str) -> tuple[AddressProvider, Address]:
        """The address in its usual spelling. AddressIdRequired, NoAddressDetailsProvider,
        AddressNotFound, AddressIncomplete, AddressDetailsFailed."""
        if not address_id:
            raise AddressIdRequired
        provider = next((each for each in self.providers if each.id == provider_id), None)
        if provider is None:
            raise NoAddressDetailsProvider
        try:
            asked = provider.details(address_id)
            found = await self._asked(provider, "address_details", asked, _place)
        except ProviderTrouble as trouble:
            raise AddressDetailsFailed from trouble
        if found is None:
            raise AddressNotFound
        address = normalised(found)
        lacking = _lacking(address)
        if lacking:
            raise AddressIncomplete(f"The address that was found lacks: {', '.join(lacking)}.")
        return provider, address

    async def _asked(
        self,
        provider: AddressProvider,
        call: str,
        answer: Awaitable[Any],
        understood: Callable[[Any], T],
    ) -> T:
        """What the provider says; ProviderTrouble for whatever goes wrong, which the log says: the
        operator alone can mend a wrong key or a spent quota. Nothing of the question is logged."""
        begun, outcome = perf_counter(), "failed"
        try:
            async with asyncio.timeout(self.timeout):
                found = understood(await answer)
            outcome = "answered"
            return found
        except TimeoutError as error:
            outcome = "silent"
            _log.error("address provider %s: no answer within %g s", provider.id, self.timeout)
            raise ProviderTrouble("no answer in time") from error
        except ProviderTrouble as trouble:
            _log.error("address provider %s: %s", provider.id, trouble)
            raise
        except Exception as error:  # of a provider that others wrote; its text may say who asked
            _log.error("address provider %s: %s", provider.id, type(error).__name__)
            raise ProviderTrouble("the provider failed") from error
        finally:
            self.measure(provider.id, call, outcome, perf_counter() - begun)

    async def close(self) -> None:
        for provider in self.providers:
            await provider.close()


def _suggestions(found: Any) -> Sequence[Suggestion]:
    """At most ten; ProviderTrouble when they are none, or cannot be said."""
    suggestions = list(found)[:MOST_SUGGESTIONS]
    for each in suggestions:
        if not isinstance(each, Suggestion):
            raise ProviderTrouble("the provider's suggestions are none")
        _sayable(each.id, each.label)
    return suggestions


def _place(found: Any) -> Address | None:
    if found is not None and not isinstance(found, Address):
        raise ProviderTrouble("the provider's address is none")
    if found is not None:
        _sayable(*found.as_billing().values())
    return found


def _sayable(*texts: str) -> None:
    """ProviderTrouble for what no answer can carry: a lone surrogate, or no text at all."""
    try:
        "".join(texts).encode()
    except (UnicodeEncodeError, TypeError):
        raise ProviderTrouble("the provider's text is none") from None


def _lacking(address: Address) -> list[str]:
    """The parts that its country requires and that are not there."""
    rules = country_rules(address.country)
    required = rules.required if rules is not None else frozenset({"country"})
    parts = ("address_1", "city", "state", "postcode", "country")
    return [part for part in parts if part in required and not getattr(address, part)]
