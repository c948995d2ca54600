"""Letters that wait for the mail server, and addresses whose owner has proven that they are his."""

from checkstand.storage.revision import runs_sql_of

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
