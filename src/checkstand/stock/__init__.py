"""Stock: quantities on hand, and holds that keep some of them for an order for a while."""
