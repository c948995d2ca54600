"""What an address provider can do.

Others come in by the entry point `checkstand.address_providers`: a callable that takes its settings
(`address_lookup.options`) and returns a provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from checkstand.customers.addresses import Address
from checkstand.errors import CheckstandError

ENTRY_POINTS = "checkstand.address_providers"
MOST_SUGGESTIONS = 10


class ProviderTrouble(CheckstandError):
    """The provider did not answer, or not so that it can be understood. Its text is logged, so it
    says nothing of what was asked."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`id` means something to its provider only; `matched` are (offset, length) in `label`."""

    id: str
    label: str
    matched: tuple[tuple[int, int], ...] = ()


class AddressProvider(Protocol):
    @property
    def id(self) -> str:
        """How clients name it."""

    @property
    def name(self) -> str:
        """How people read it."""

    def serves(self, country: str) -> bool:
        """Whether addresses of this country (ISO 3166-1 alpha-2) can be looked up."""

    async def suggest(self, query: str, country: str) -> Sequence[Suggestion]:
        """At most ten addresses of the country that begin like the query; ProviderTrouble."""

    async def details(self, address_id: str) -> Address | None:
        """The whole address behind a suggestion, None when there is none; ProviderTrouble."""

    async def close(self) -> None:
        """Gives back what it holds open."""
