"""The foundation."""

from checkstand.storage.revision import runs_sql_of

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
