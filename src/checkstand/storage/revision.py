"""What every revision of the schema does: the SQL file beside it is run as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import op


def runs_sql_of(revision: str) -> Callable[[], None]:
    """The `upgrade` of a revision, given its `__file__`. The driver itself runs the file: several
    statements, no bind markers."""

    def upgrade() -> None:
        script = Path(revision).with_suffix(".sql").read_text()
        driver = op.get_bind().connection.dbapi_connection
        assert driver is not None
        driver.run_async(lambda connection: connection.execute(script))

    return upgrade
