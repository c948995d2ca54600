"""Coupons: what they give, to whom, and their uses."""

from checkstand.storage.revision import runs_sql_of

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
