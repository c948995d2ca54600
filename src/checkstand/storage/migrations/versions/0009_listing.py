"""Lists that are found by their index, whatever they are filtered and sorted by."""

from checkstand.storage.revision import runs_sql_of

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
