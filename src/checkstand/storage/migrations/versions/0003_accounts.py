"""Accounts of shoppers: profiles, sign-in sessions, mailed keys."""

from checkstand.storage.revision import runs_sql_of

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
upgrade = runs_sql_of(__file__)
