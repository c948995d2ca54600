"""What is asked with every cart keeps its plan; a customer is known by account and e-mails."""

from checkstand.storage.revision import runs_sql_of

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
