"""Orders: relational snapshots of what was bought, immutable once placed, and their states."""
