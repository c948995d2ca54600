"""What each shipping charge of an order is for, and links that hand a cart over."""

from checkstand.storage.revision import runs_sql_of

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
