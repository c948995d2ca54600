"""Who buys, and where the goods go: addresses now, accounts and passwords beside them."""
