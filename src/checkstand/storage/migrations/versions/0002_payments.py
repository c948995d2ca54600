"""Payments by providers: look-ups, refunds, webhooks."""

from checkstand.storage.revision import runs_sql_of

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
