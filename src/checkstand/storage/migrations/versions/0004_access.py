"""Keys with a whole life, alerts, the audit log, and the shield's record of charges."""

from checkstand.storage.revision import runs_sql_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
