"""What commands need to work on a shop from the outside: its settings and its database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from checkstand import audit
from checkstand.app import set_up_logging
from checkstand.errors import ConfigurationError
from checkstand.settings import FILE_VARIABLE, Settings, load
from checkstand.storage.database import Database
from checkstand.wiring import check_schema, pool_options

__all__ = ["configured", "database_session", "database_url", "set_up_logging", "use_config"]


@dataclass(frozen=True, slots=True)
class Session:
    settings: Settings
    database: Database


def use_config(config: Path | None) -> None:
    """Makes `--config` hold for this process and for the server processes that it starts."""
    if config is not None:
        os.environ[FILE_VARIABLE] = str(config)


def configured() -> Settings:
    """The settings, with logging set up as they say."""
    settings = load()
    set_up_logging(settings)
    return settings


def database_url(settings: Settings) -> str:
    """The address of PostgreSQL itself; ConfigurationError when there is none."""
    if not settings.database.url:
        raise ConfigurationError(
            "database.url is not set: give the address of a PostgreSQL database in checkstand.toml "
            "or as CHECKSTAND_DATABASE__URL. A running `checkstand demo` prints its own."
        )
    return settings.database.direct_url


@asynccontextmanager
async def database_session() -> AsyncIterator[Session]:
    """The settings and an open database at this version's schema."""
    settings = configured()
    audit.origin.set(audit.Origin("operator"))
    await check_schema(database_url(settings))
    database = await Database.open(settings.database.url, pool_options(settings))
    try:
        yield Session(settings, database)
    finally:
        await database.close()
