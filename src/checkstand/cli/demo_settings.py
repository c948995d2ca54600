"""The settings of the demo shop. The environment still wins, except for the database."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from checkstand.settings import Settings, load

_STORE: dict[str, Any] = {
    "name": "Checkstand demo shop",
    "description": "Goods that do not exist, for storefronts that will.",
    "address": {
        "address_1": "1 Wharf Street",
        "city": "San Francisco",
        "state": "CA",
        "postcode": "94111",
        "country": "US",
    },
    "currency": "USD",
    "currencies": {"EUR": {"rate": "0.85"}, "JPY": {"rate": "150"}},
    "timezone": "America/Los_Angeles",
    "weight_unit": "kg",
    "dimension_unit": "cm",
}
_ZONES: list[dict[str, Any]] = [
    {
        "name": "United States",
        "countries": ["US"],
        "methods": [
            {"id": 1, "kind": "flat_rate", "title": "Flat rate", "cost": "5.00"},
            {"id": 2, "kind": "free_shipping", "minimum": "100.00"},
            {"id": 3, "kind": "local_pickup", "title": "Pick up at the wharf"},
            {
                "id": 4,
                "kind": "flat_rate",
                "title": "Courier",
                "cost": "9.00",
                "cost_per_item": "1.50",
                "cost_per_class": {"bulky": "15.00"},
            },
        ],
    },
    {
        "name": "Everywhere else",
        "methods": [{"id": 5, "kind": "flat_rate", "title": "International", "cost": "18.00"}],
    },
]


def demo_settings(database_url: str, base_url: str, jwt_secret: str = "") -> Settings:
    """A shop in California: dollars, with euros and yen; flat rate `flat_rate:1` everywhere. Its
    mail goes to the console."""
    settings = load(
        server={"base_url": base_url},
        store=_STORE,
        shipping={"zones": _ZONES},
        address_lookup={
            "providers": ["places"],
            "places_file": str(files("checkstand.ui.demo") / "places.csv"),
        },
        jwt={"secret": jwt_secret},
        mail={"backend": "console"},
        gateways={
            "sandbox": {"enabled": True},
            "bacs": {"enabled": True},
            "cheque": {"enabled": True},
            "cod": {"enabled": True},
        },
    )
    database = settings.database.model_copy(update={"url": database_url, "listen_url": ""})
    return settings.model_copy(update={"database": database})
