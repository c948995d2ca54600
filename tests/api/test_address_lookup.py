"""Address search and details in both namespaces: a file of places, a server that speaks Google's
Places API over real HTTP, and a provider that comes in by an entry point."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from checkstand.customers.addresses import Address
from checkstand.customers.lookup.provider import Suggestion
from checkstand.customers.lookup.providers import open_providers
from checkstand.customers.lookup.service import AddressLookup
from checkstand.errors import AddressDetailsFailed, AddressSearchFailed, ConfigurationError
from checkstand.settings import Settings
from tests.makers import BILLING, PREVIEW, V2, Storefront, running, shop_settings

# --- a file of places -----------------------------------------------------------------------------


@pytest.fixture
async def shop(empty_database: str) -> AsyncIterator[Storefront]:
    async with running(shop_settings(empty_database)) as client:
        yield client


@pytest.mark.parametrize("base", [V2, PREVIEW])
async def test_places(shop: Storefront, base: str) -> None:
    response = await shop.http.get(f"{base}/address/search", params={"query": "17 alder port"})
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store, private"
    body = response.json()
    assert body == {
        "suggestions": [
            {
                "id": "or-1",
                "label": "17 Alder Lane, Portland, OR 97209",
                "matched_substrings": [
                    {"offset": 0, "length": 2},
                    {"offset": 3, "length": 5},
                    {"offset": 15, "length": 4},
                ],
            }
        ],
        "count": 1,
        "provider": {"id": "demo_places", "name": "Demo Places"},
        "search_country": "US",
        "query": "17 alder port",
    }
    found = await shop.http.get(
        f"{base}/address/details", params={"address_id": "or-1", "provider": "demo_places"}
    )
    assert found.json() == {
        "address": {
            "address_1": "17 Alder Lane",
            "address_2": "",
            "city": "Portland",
            "state": "OR",
            "postcode": "97209",
            "country": "US",
        },
        "provider": {"id": "demo_places", "name": "Demo Places"},
    }


async def test_the_country_is_the_cart_s_and_else_the_store_s(shop: Storefront) -> None:
    search = f"{V2}/address/search"
    assert (await shop.call("GET", search, query="linden")).json()["count"] == 0
    asked = await shop.call("GET", search, query="linden", country="de")
    assert (asked.json()["count"], asked.json()["search_country"]) == (1, "DE")
    await shop.call(
        "POST",
        f"{V2}/cart/update",
        {"namespace": "update-customer", "billing_country": "DE", "shipping_country": "FR"},
    )
    assert (await shop.call("GET", search, query="linden")).json()["search_country"] == "DE"
    shipped = await shop.call("GET", search, query="tilleuls", type="shipping")
    assert (shipped.json()["search_country"], shipped.json()["count"]) == ("FR", 1)
    text = shipped.json()["suggestions"][0]
    (span,) = text["matched_substrings"]
    assert text["label"][span["offset"] :][: span["length"]] == "Tilleuls"


REFUSED: list[tuple[str, str, dict[str, str], int, str]] = [
    (V2, "search", {}, 400, "cocart_address_search_invalid_query"),
    (V2, "search", {"query": "ab"}, 400, "cocart_address_search_invalid_query"),
    (V2, "search", {"query": " a  "}, 400, "cocart_address_search_invalid_query"),
    (V2, "search", {"query": "abc", "country": "BR"}, 400,
     "cocart_address_search_country_not_supported"),
    (V2, "search", {"query": "abc", "provider": "nobody"}, 500,
     "cocart_address_search_no_provider"),
    (V2, "search", {"query": "abc", "country": "USA"}, 400, "cocart_invalid_parameter"),
    (V2, "search", {"query": "abc", "type": "office"}, 400, "cocart_invalid_parameter"),
    (V2, "search", {"query": "x" * 201}, 400, "cocart_invalid_parameter"),
    (V2, "details", {"provider": "demo_places"}, 400, "cocart_address_details_missing_id"),
    (V2, "details", {"address_id": "or-1"}, 500, "cocart_address_details_no_provider"),
    (V2, "details", {"address_id": "or-1", "provider": "x"}, 500,
     "cocart_address_details_no_provider"),
    (V2, "details", {"address_id": "no", "provider": "demo_places"}, 404,
     "cocart_address_details_not_found"),
    (PREVIEW, "search", {"query": "ab"}, 400, "rest_invalid_param"),
    (PREVIEW, "search", {}, 400, "rest_invalid_param"),
    (PREVIEW, "search", {"query": "abc", "country": "BR"}, 400,
     "cocart_address_country_not_supported"),
    (PREVIEW, "search", {"query": "abc", "provider": "x"}, 500, "cocart_address_no_provider"),
    (PREVIEW, "search", {"query": "abc", "type": "office"}, 400, "rest_invalid_param"),
    (PREVIEW, "details", {"provider": "demo_places"}, 400, "rest_missing_callback_param"),
    (PREVIEW, "details", {"address_id": "no", "provider": "demo_places"}, 404,
     "cocart_address_details_not_found"),
]  # fmt: skip


async def test_refusals(shop: Storefront) -> None:
    for base, route, query, status, code in REFUSED:
        response = await shop.http.get(f"{base}/address/{route}", params=query)
        assert (response.status_code, response.json()["code"]) == (status, code), (route, query)
    unserved = await shop.http.get(f"{V2}/address/search?query=abc&country=br")
    assert unserved.json()["message"].endswith("BR")


async def test_a_shop_without_providers(empty_database: str) -> None:
    settings = shop_settings(empty_database, address_lookup={"providers": []})
    async with running(settings) as shop:
        none = await shop.http.get(f"{V2}/address/search?query=abc")
        assert (none.status_code, none.json()["code"]) == (500, "cocart_address_search_no_provider")
        none = await shop.http.get(f"{PREVIEW}/address/search?query=abc")
        assert none.json()["code"] == "cocart_address_no_provider"


# --- a server that speaks Google's Places API -----------------------------------------------------


@dataclass
class FakePlaces:
    """What it was asked, and what it says. `answer` is sent with `status` as it is."""

    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"{}"
    delay: float = 0.0
    url: str = ""


@pytest.fixture
def places() -> Iterator[FakePlaces]:
    fake = FakePlaces()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.asked.append((self.command, self.path, headers, body))
            time.sleep(fake.delay)
            self.send_response(fake.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(fake.answer)))
            self.end_headers()
            self.wfile.write(fake.answer)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            """Not on the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_google(database_url: str, places: FakePlaces, **more: Any) -> Settings:
    chosen = {
        "providers": ["google"],
        "google_key": "a-secret-key",
        "google_url": places.url,
        "timeout": 1.0,
        **more,
    }
    return shop_settings(database_url, address_lookup=chosen)


FOUND = {
    "suggestions": [
        {
            "placePrediction": {
                "place": "places/ChIJ1",
                "placeId": "ChIJ1",
                "text": {
                    "text": "8 Quarry Row, Dunmore, CA, USA",
                    "matches": [{"endOffset": 8}, {"startOffset": 14, "endOffset": 21}],
                },
            }
        },
        {"queryPrediction": {"text": {"text": "quarry"}}},
    ]
}


def component(long: str, short: str, *types: str) -> dict[str, Any]:
    return {"longText": long, "shortText": short, "types": list(types)}


US_PARTS = [
    component("8", "8", "street_number"),
    component("Quarry Row", "Quarry Row", "route"),
    component("4", "4", "subpremise"),
    component("Dunmore", "Dunmore", "locality", "political"),
    component("California", "CA", "administrative_area_level_1", "political"),
    component("United States", "US", "country", "political"),
    component("90011", "90011", "postal_code"),
]
DE_PARTS = [
    component("14", "14", "street_number"),
    component("Lindenallee", "Lindenallee", "route"),
    component("Berlin", "Berlin", "locality"),
    component("Deutschland", "DE", "country"),
    component("10115", "10115", "postal_code"),
]


async def test_google(empty_database: str, places: FakePlaces) -> None:
    async with running(with_google(empty_database, places)) as shop:
        places.answer = json.dumps(FOUND).encode()
        found = await shop.http.get(f"{V2}/address/search?query=8 Quarry&country=US")
        assert found.status_code == 200, found.text
        assert found.json()["suggestions"] == [
            {
                "id": "ChIJ1",
                "label": "8 Quarry Row, Dunmore, CA, USA",
                "matched_substrings": [
                    {"offset": 0, "length": 8},
                    {"offset": 14, "length": 7},
                ],
            }
        ]
        assert found.json()["provider"] == {"id": "google", "name": "Google Places"}
        method, path, headers, body = places.asked[-1]
        assert (method, path) == ("POST", "/v1/places:autocomplete")
        assert headers["x-goog-api-key"] == "a-secret-key"
        assert body == {"input": "8 Quarry", "includedRegionCodes": ["us"]}

        places.answer = json.dumps({"addressComponents": US_PARTS}).encode()
        details = {"address_id": "ChIJ1", "provider": "google"}
        whole = await shop.http.get(f"{V2}/address/details", params=details)
        assert whole.json()["address"] == {
            "address_1": "8 Quarry Row",
            "address_2": "4",
            "city": "Dunmore",
            "state": "CA",
            "postcode": "90011",
            "country": "US",
        }
        method, path, headers, _ = places.asked[-1]
        assert (method, path) == ("GET", "/v1/places/ChIJ1")
        assert headers["x-goog-fieldmask"] == "addressComponents"

        places.answer = json.dumps({"addressComponents": DE_PARTS}).encode()
        whole = await shop.http.get(f"{V2}/address/details", params=details)
        assert whole.json()["address"]["address_1"] == "Lindenallee 14", "as Germans write it"

        places.answer = json.dumps({"addressComponents": US_PARTS[:-1]}).encode()
        partial = await shop.http.get(f"{V2}/address/details", params=details)
        assert (partial.status_code, partial.json()["code"]) == (
            500,
            "cocart_address_details_invalid",
        )
        assert "postcode" in partial.json()["message"]


async def test_an_id_cannot_lead_elsewhere(empty_database: str, places: FakePlaces) -> None:
    async with running(with_google(empty_database, places)) as shop:
        for sent in ("../../secrets", "..", ".", "a/b?key=1", "//elsewhere.example/x", "a#b", "é"):
            found = await shop.http.get(
                f"{V2}/address/details", params={"address_id": sent, "provider": "google"}
            )
            assert found.json()["code"] == "cocart_address_details_not_found"
        assert places.asked == [], "what is no ID of Google's is not asked for"


TROUBLE = [
    (500, b"{}"),
    (429, b'{"error": {"status": "RESOURCE_EXHAUSTED"}}'),
    (200, b"{" + b" " * 1_000_000 + b"}"),
    (
        200,
        b'{"suggestions": [{"placePrediction": {"placeId": "1", "text": {"text": "\\ud800"}}}],'
        b' "addressComponents": "\\ud800"}',
    ),
    (403, b'{"error": {"message": "The provided API key is invalid."}}'),
    (302, b"{}"),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b'{"suggestions": {}, "addressComponents": 1}'),
    (200, b'{"suggestions": [{"placePrediction": {}}], "addressComponents": [{"types": 1}]}'),
]


async def test_trouble_with_google(
    empty_database: str, places: FakePlaces, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(with_google(empty_database, places)) as shop:
        search, details = f"{V2}/address/search", f"{V2}/address/details"
        for status, answer in TROUBLE:
            places.status, places.answer = status, answer
            found = await shop.http.get(search, params={"query": "8 Quarry"})
            assert (found.status_code, found.json()["code"]) == (
                500,
                "cocart_address_search_error",
            ), answer
            whole = await shop.http.get(details, params={"address_id": "x", "provider": "google"})
            assert whole.json()["code"] == "cocart_address_details_error", answer
            assert "API key" not in found.text + whole.text
            # Who runs the shop gets to know, without what was asked and without the key.
            said = [each.getMessage() for each in caplog.records if "lookup" in each.name]
            assert len(said) == 2
            assert all(text.startswith("address provider google: the provider") for text in said)
            assert status == 200 or f"answered {status}" in said[0]
            assert not {"8 Quarry", "a-secret-key"} & {*caplog.text.split("'")}
            assert "Quarry" not in " ".join(said)
            caplog.clear()
        for status in (400, 404):
            places.status, places.answer = status, b"{}"
            whole = await shop.http.get(details, params={"address_id": "x", "provider": "google"})
            assert (whole.status_code, whole.json()["code"]) == (
                404,
                "cocart_address_details_not_found",
            )


async def test_google_is_slow_or_away(empty_database: str, places: FakePlaces) -> None:
    async with running(with_google(empty_database, places, timeout=0.2)) as shop:
        places.delay = 1.0
        before = time.monotonic()
        slow = await shop.http.get(f"{V2}/address/search?query=8 Quarry")
        assert slow.json()["code"] == "cocart_address_search_error"
        assert time.monotonic() - before < 0.9
    gone = FakePlaces(url="http://127.0.0.1:9")
    async with running(with_google(empty_database, gone)) as shop:
        away = await shop.http.get(f"{V2}/address/search?query=8 Quarry")
        assert away.json()["code"] == "cocart_address_search_error"


async def test_the_first_provider_that_serves_the_country(
    empty_database: str, places: FakePlaces
) -> None:
    demo = shop_settings(empty_database).address_lookup.places_file
    both = {"providers": ["places", "google"], "places_file": demo}
    async with running(with_google(empty_database, places, **both)) as shop:
        at_home = await shop.http.get(f"{V2}/address/search?query=alder&country=US")
        assert at_home.json()["provider"]["id"] == "demo_places"
        places.answer = json.dumps(FOUND).encode()
        away = await shop.http.get(f"{V2}/address/search?query=rua&country=BR")
        assert away.json()["provider"]["id"] == "google"
        named = await shop.http.get(f"{V2}/address/search?query=alder&country=US&provider=google")
        assert named.json()["provider"]["id"] == "google"


async def test_the_cart_s_address_needs_no_catalogue(shop: Storefront) -> None:
    """An address that was found is one that the checkout takes."""
    found = await shop.http.get(f"{V2}/address/details?address_id=tx-1&provider=demo_places")
    parts = {f"billing_{k}": v for k, v in {**BILLING, **found.json()["address"]}.items()}
    kept = await shop.call("POST", f"{V2}/cart/update", {"namespace": "update-customer", **parts})
    assert kept.status_code == 200
    assert kept.json()["customer"]["billing_address"]["billing_city"] == "Austin"


# --- providers of others --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("8 Quarry Row"), "8 Quarry Row", 8, [Suggestion("1", "\ud800")],
     Address(city="\udfff")],
)  # fmt: skip
async def test_a_provider_that_fails(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it raises or answers, the shop says that the search failed."""
    lookup = AddressLookup((Failing(answer),))
    with pytest.raises(AddressSearchFailed):
        await lookup.search("8 Quarry", "US")
    with pytest.raises(AddressDetailsFailed):
        await lookup.details("1", "failing")
    assert len(caplog.records) == 2
    assert "Quarry" not in caplog.text


@dataclass
class Failing:
    """A provider that raises, or answers with what nobody can read."""

    answer: Any
    id: str = "failing"
    name: str = "Failing"

    def serves(self, country: str) -> bool:
        return True

    async def suggest(self, query: str, country: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def details(self, address_id: str) -> Any:
        return await self.suggest(address_id, "")

    async def close(self) -> None:
        """Holds nothing open."""


A_PROVIDER = """
from checkstand.customers.addresses import Address
from checkstand.customers.lookup.provider import Suggestion


class Atlas:
    id = "atlas"
    name = "Atlas"

    def __init__(self, options):
        self.town = options["town"]

    def serves(self, country):
        return country == "IS"

    async def suggest(self, query, country):
        return [Suggestion("1", f"{query}, {self.town}")]

    async def details(self, address_id):
        return Address(address_1="Street 1", city=self.town, postcode="101", country="IS")

    async def close(self):
        pass
"""


async def test_a_provider_by_entry_point(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "atlas_places.py").write_text(A_PROVIDER)
    about = tmp_path / "atlas_places-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: atlas-places\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[checkstand.address_providers]\natlas = atlas_places:Atlas\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    chosen = {"providers": ["atlas"], "options": {"atlas": {"town": "Reykjavik"}}}
    try:
        async with running(shop_settings(empty_database, address_lookup=chosen)) as shop:
            found = await shop.http.get(f"{V2}/address/search?query=laug&country=IS")
            assert found.json()["suggestions"][0]["label"] == "laug, Reykjavik"
            whole = await shop.http.get(f"{V2}/address/details?address_id=1&provider=atlas")
            assert whole.json()["address"]["city"] == "Reykjavik"
    finally:
        sys.modules.pop("atlas_places", None)


def test_providers_that_cannot_be_opened(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("id,address_1,country\n1,,US\n")
    table: list[tuple[str, dict[str, str], str]] = [
        ("nobody", {}, "neither one of places, google"),
        ("places", {}, "places_file is not set"),
        ("places", {"file": str(tmp_path / "none.csv")}, "cannot read"),
        ("places", {"file": str(bad)}, "row 1"),
        ("google", {}, "google_key is not set"),
    ]
    for name, options, reason in table:
        with pytest.raises(ConfigurationError, match=reason):
            open_providers([name], {name: options})
