"""Searching addresses, with the first provider that serves the country or the one that is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

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


@dataclass(frozen=True, slots=True)
class AddressLookup:
    """`timeout` is how many seconds a provider gets to answer."""

    providers: tuple[AddressProvider, ...] = ()
    timeout: float = 5.0

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
            found = await self._in_time(provider.suggest(query.strip(), country))
        except ProviderTrouble as trouble:
            raise AddressSearchFailed from trouble
        return provider, found[:MOST_SUGGESTIONS]

    async def details(self, address_id: str, provider_id: str) -> tuple[AddressProvider, Address]:
        """The address in its usual spelling. AddressIdRequired, NoAddressDetailsProvider,
        AddressNotFound, AddressIncomplete, AddressDetailsFailed."""
        if not address_id:
            raise AddressIdRequired
        provider = next((each for each in self.providers if each.id == provider_id), None)
        if provider is None:
            raise NoAddressDetailsProvider
        try:
            found = await self._in_time(provider.details(address_id))
        except ProviderTrouble as trouble:
            raise AddressDetailsFailed from trouble
        if found is None:
            raise AddressNotFound
        address = normalised(found)
        lacking = _lacking(address)
        if lacking:
            raise AddressIncomplete(f"The address that was found lacks: {', '.join(lacking)}.")
        return provider, address

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.timeout):
                return await answer
        except TimeoutError as error:
            raise ProviderTrouble("no answer in time") from error

    async def close(self) -> None:
        for provider in self.providers:
            await provider.close()


def _lacking(address: Address) -> list[str]:
    """The parts that its country requires and that are not there."""
    rules = country_rules(address.country)
    required = rules.required if rules is not None else frozenset({"country"})
    parts = ("address_1", "city", "state", "postcode", "country")
    return [part for part in parts if part in required and not getattr(address, part)]
