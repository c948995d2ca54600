"""Parts that know nothing of shops: money, ids, clock, crypto. Standard library only."""
