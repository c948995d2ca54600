"""PostgreSQL: the pool, transactions, change notices, migrations, and the bundled server."""
