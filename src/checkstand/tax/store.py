"""All SQL of the tax rates. The database announces every change and counts it (`revisions`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import orjson

from checkstand.storage.database import Connection
from checkstand.tax.model import TaxRate

# One importer at a time, so that a row that two of them add is added once.
_IMPORT_LOCK = 0x746178  # "tax"

_KEY = "country, state, postcodes, cities, priority, tax_class, name"
_TERMS = ("rate", "compound", "on_shipping", "position")


async def rates(connection: Connection) -> tuple[TaxRate, ...]:
    """All rates, by country, state, priority and position; one statement."""
    rows = await connection.fetch(
        """
        SELECT id, country, state, postcodes, cities, rate, name, priority, compound,
               on_shipping, tax_class, position
        FROM tax_rates ORDER BY country, state, priority, position, id
        """
    )
    return tuple(
        TaxRate(**{**row, "postcodes": tuple(row["postcodes"]), "cities": tuple(row["cities"])})
        for row in rows
    )


async def lock_for_import(connection: Connection) -> None:
    """Wait until no other importer is writing; held until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _IMPORT_LOCK)


async def ensure_classes(connection: Connection, classes: Mapping[str, str]) -> None:
    """Make the tax classes that do not exist yet; `classes` is slug -> name."""
    await connection.execute(
        """
        INSERT INTO tax_classes (slug, name) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (slug) DO NOTHING
        """,
        list(classes),
        list(classes.values()),
    )


async def upsert(
    connection: Connection, given: Sequence[TaxRate]
) -> tuple[set[int], set[int], set[int]]:
    """Add rates, or change those with the same country, state, postcodes, cities, priority, class
    and name; their own `id` is not looked at. The ids added, changed, and found as given.
    """
    rows = await connection.fetch(
        f"""
        WITH given AS (
            SELECT * FROM json_to_recordset($1::text::json) AS g(
                country text, state text, postcodes text[], cities text[], rate numeric(9, 4),
                name text, priority integer, compound boolean, on_shipping boolean,
                tax_class text, position integer)
        ), put AS (
            INSERT INTO tax_rates AS kept ({_KEY}, {", ".join(_TERMS)})
            SELECT {_KEY}, {", ".join(_TERMS)} FROM given
            ON CONFLICT ({_KEY}) DO UPDATE
            SET {", ".join(f"{term} = excluded.{term}" for term in _TERMS)}
            WHERE ({", ".join(f"kept.{term}" for term in _TERMS)})
                  IS DISTINCT FROM ({", ".join(f"excluded.{term}" for term in _TERMS)})
            RETURNING id, xmax = 0 AS added
        )
        SELECT id, CASE WHEN added THEN 'added' ELSE 'changed' END AS fate FROM put
        UNION ALL
        SELECT id, 'same' FROM tax_rates NATURAL JOIN given  -- as it was before
        """,
        orjson.dumps([_as_row(rate) for rate in given]).decode(),
    )
    fates: dict[str, set[int]] = {"added": set(), "changed": set(), "same": set()}
    for row in rows:
        fates[row["fate"]].add(row["id"])
    return fates["added"], fates["changed"], fates["same"]


async def remove_others(connection: Connection, kept: Collection[int]) -> int:
    """Remove every rate whose id is not in `kept`; how many there were."""
    rows = await connection.fetch(
        "DELETE FROM tax_rates WHERE id <> ALL($1::bigint[]) RETURNING id", list(kept)
    )
    return len(rows)


def _as_row(rate: TaxRate) -> dict[str, object]:
    return {
        "country": rate.country,
        "state": rate.state,
        "postcodes": rate.postcodes,
        "cities": rate.cities,
        "rate": str(rate.rate),
        "name": rate.name,
        "priority": rate.priority,
        "compound": rate.compound,
        "on_shipping": rate.on_shipping,
        "tax_class": rate.tax_class,
        "position": rate.position,
    }
