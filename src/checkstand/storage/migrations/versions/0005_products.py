"""The catalogue as strangers browse it."""

from checkstand.storage.revision import runs_sql_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
