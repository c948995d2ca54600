"""Categories, tags, brands and the terms of shared attributes: found by name, or made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from checkstand.catalog.slugs import slug_of
from checkstand.storage.database import Connection

Path = tuple[str, ...]
"""The names of a category and of those it lies in, the outermost first."""


async def ensure_categories(connection: Connection, paths: Collection[Path]) -> dict[Path, int]:
    """The ids of these categories and of all they lie in; those that do not exist are made."""
    wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
    ids: dict[Path, int] = {}
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        level = [path for path in sorted(wanted) if len(path) == depth]
        ids |= await _ensure_level(connection, level, [ids.get(path[:-1], 0) for path in level])
    return ids


async def _ensure_level(
    connection: Connection, paths: Sequence[Path], parents: Sequence[int]
) -> dict[Path, int]:
    """Categories of one depth; a parent of 0 is none."""
    names = [path[-1] for path in paths]
    rows = await connection.fetch(
        """
        SELECT c.id, coalesce(c.parent_id, 0) AS parent, c.name
        FROM unnest($1::bigint[], $2::text[]) AS given(parent, name)
        JOIN categories c ON coalesce(c.parent_id, 0) = given.parent AND c.name = given.name
        """,
        parents,
        names,
    )
    known = {(row["parent"], row["name"]): row["id"] for row in rows}
    lacking = [
        (parent, path)
        for parent, path in zip(parents, paths, strict=True)
        if (parent, path[-1]) not in known
    ]
    slugs = await _free_slugs(connection, "categories", [path[-1] for _, path in lacking])
    made = await connection.fetch(
        """
        INSERT INTO categories (parent_id, name, slug)
        SELECT nullif(parent, 0), name, slug
        FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given(parent, name, slug)
        RETURNING id, coalesce(parent_id, 0) AS parent, name
        """,
        [parent for parent, _ in lacking],
        [path[-1] for _, path in lacking],
        slugs,
    )
    known |= {(row["parent"], row["name"]): row["id"] for row in made}
    return {path: known[parent, path[-1]] for parent, path in zip(parents, paths, strict=True)}


async def ensure_tags(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of the tags with these names; those that do not exist are made."""
    return await _ensure_named(connection, "tags", names)


async def ensure_brands(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of the brands with these names; those that do not exist are made."""
    return await _ensure_named(connection, "brands", names)


async def _ensure_named(
    connection: Connection, table: str, names: Collection[str]
) -> dict[str, int]:
    rows = await connection.fetch(
        f"SELECT id, name FROM {table} WHERE name = ANY($1::text[])", list(names)
    )
    known = {row["name"]: row["id"] for row in rows}
    lacking = sorted(set(names) - set(known))
    if not lacking:
        return known
    made = await connection.fetch(
        f"""
        INSERT INTO {table} (name, slug) SELECT * FROM unnest($1::text[], $2::text[])
        RETURNING id, name
        """,
        lacking,
        await _free_slugs(connection, table, lacking),
    )
    return known | {row["name"]: row["id"] for row in made}


async def ensure_attribute(connection: Connection, slug: str, name: str) -> tuple[int, str]:
    """Id and name of the shared attribute `pa_...`; made with `name` if it does not exist."""
    row = await connection.fetchrow(
        """
        WITH made AS (
            INSERT INTO attributes (slug, name) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING
            RETURNING id, name
        )
        SELECT id, name FROM made UNION ALL SELECT id, name FROM attributes WHERE slug = $1
        """,
        slug,
        name,
    )
    assert row is not None
    return row["id"], row["name"]


async def ensure_terms(
    connection: Connection, attribute_id: int, names: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Slug and name of each term, by its name as given; those that do not exist are made.

    As in WooCommerce, `red` and `Red` are one term, named as it was first. New terms come after
    those that exist, in the order given.
    """
    rows = await connection.fetch(
        "SELECT slug, name FROM attribute_terms WHERE attribute_id = $1", attribute_id
    )
    known = {row["name"].casefold(): (row["slug"], row["name"]) for row in rows}
    taken = {row["slug"] for row in rows}
    made: list[tuple[str, str]] = []
    for name in names:
        if name.casefold() not in known:
            slug = next(each for each in _candidates(name) if each not in taken)
            taken.add(slug)
            known[name.casefold()] = (slug, name)
            made.append((slug, name))
    await connection.execute(
        """
        INSERT INTO attribute_terms (attribute_id, slug, name, position)
        SELECT $1, slug, name, $4::integer + place
        FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS given(slug, name, place)
        """,
        attribute_id,
        [slug for slug, _ in made],
        [name for _, name in made],
        len(rows),
    )
    return {name: known[name.casefold()] for name in names}


async def _free_slugs(connection: Connection, table: str, names: Sequence[str]) -> list[str]:
    """A slug for each name that nothing in `table` has, and each only once."""
    if not names:
        return []
    stems = {slug_of(name) for name in names}
    rows = await connection.fetch(
        f"""
        SELECT slug FROM {table}
        WHERE slug = ANY($1::text[]) OR regexp_replace(slug, '-[0-9]+$', '') = ANY($1::text[])
        """,
        list(stems),
    )
    taken = {row["slug"] for row in rows}
    slugs = []
    for name in names:
        slug = next(each for each in _candidates(name) if each not in taken)
        taken.add(slug)
        slugs.append(slug)
    return slugs


def _candidates(name: str) -> Iterator[str]:
    stem = slug_of(name)
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))
