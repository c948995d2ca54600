"""Addresses from Google Places (the API called "new"), or from a server that speaks the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import orjson

from checkstand.customers.addresses import Address
from checkstand.customers.lookup.provider import MOST_SUGGESTIONS, ProviderTrouble, Suggestion

HOST = "places.googleapis.com"
_LONGEST = 300
_LARGEST = 1_000_000
"""Bytes of an answer that is read; Google's have a few thousand."""
_ID = re.compile(r"[\w-]{1,300}", re.ASCII)
# Where the number of the house comes before the street.
_NUMBER_FIRST = frozenset(
    "US CA GB IE AU NZ FR LU IN SG MY PH ZA HK IL TH TW KE NG PK LK MT BD EG MA TN SN CI".split()
)


class GooglePlaces:
    """An AddressProvider for every country. The key goes in a header, never into an address."""

    id = "google"
    name = "Google Places"

    def __init__(self, key: str, url: str = "", timeout: float = 5.0) -> None:
        self._http = httpx2.AsyncClient(
            base_url=url or f"https://{HOST}",
            headers={"X-Goog-Api-Key": key},
            timeout=timeout,
            follow_redirects=False,
        )

    def serves(self, country: str) -> bool:
        return bool(country)

    async def suggest(self, query: str, country: str) -> Sequence[Suggestion]:
        body = {"input": query, "includedRegionCodes": [country.lower()]}
        answer = await self._ask("POST", "/v1/places:autocomplete", json=body)
        found = []
        for each in _list(answer, "suggestions")[:MOST_SUGGESTIONS]:
            place = each.get("placePrediction") if isinstance(each, dict) else None
            if place is not None:
                found.append(_suggestion(place))
        return found

    async def details(self, address_id: str) -> Address | None:
        if not _ID.fullmatch(address_id):
            return None  # none of Google's
        answer = await self._ask(
            "GET",
            f"/v1/places/{address_id}",
            headers={"X-Goog-FieldMask": "addressComponents"},
            unknown_is_none=True,
        )
        return None if answer is None else _address(_list(answer, "addressComponents"))

    async def close(self) -> None:
        await self._http.aclose()

    async def _ask(
        self, method: str, path: str, *, unknown_is_none: bool = False, **given: Any
    ) -> dict[str, Any] | None:
        """The answer; None for one that says that there is no such place."""
        try:
            async with self._http.stream(method, path, **given) as response:
                # An ID that Google did not make is a bad request to it.
                if unknown_is_none and response.status_code in (400, 404):
                    return None
                if response.status_code != 200:
                    raise ProviderTrouble(f"the provider answered {response.status_code}")
                answer = orjson.loads(await _bounded(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise ProviderTrouble("the provider cannot be reached or understood") from error
        if not isinstance(answer, dict):
            raise ProviderTrouble("the provider's answer has another form")
        return answer


async def _bounded(response: httpx2.Response) -> bytes:
    """The body; ProviderTrouble for one that no such answer has."""
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > _LARGEST:
            raise ProviderTrouble("the provider's answer is too large")
    return bytes(read)


def _list(answer: Mapping[str, Any] | None, name: str) -> list[Any]:
    found = (answer or {}).get(name, [])
    if not isinstance(found, list):
        raise ProviderTrouble("the provider's answer has another form")
    return found


def _suggestion(place: Any) -> Suggestion:
    try:
        text = place["text"]
        matched = tuple(
            (int(span.get("startOffset", 0)), int(span["endOffset"] - span.get("startOffset", 0)))
            for span in text.get("matches", [])
        )
        return Suggestion(str(place["placeId"]), str(text["text"])[:_LONGEST], matched)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProviderTrouble("the provider's answer has another form") from error


def _address(components: list[Any]) -> Address:
    try:
        known: dict[str, Mapping[str, str]] = {}
        for component in components:
            for kind in component["types"]:
                known.setdefault(kind, component)

        def said(*kinds: str, short: bool = False) -> str:
            component = next((known[kind] for kind in kinds if kind in known), {})
            return str(component.get("shortText" if short else "longText", ""))

        country = said("country", short=True)
        number, street = said("street_number"), said("route")
        parts = [number, street] if country in _NUMBER_FIRST else [street, number]
        postcode = [said("postal_code"), said("postal_code_suffix")]
        return Address(
            address_1=" ".join(filter(None, parts)) or said("premise", "point_of_interest"),
            address_2=said("subpremise"),
            city=said(
                "locality", "postal_town", "sublocality_level_1", "administrative_area_level_3"
            ),
            state=said("administrative_area_level_1", short=True),
            postcode="-".join(filter(None, postcode)),
            country=country,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ProviderTrouble("the provider's answer has another form") from error
