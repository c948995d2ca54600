"""`/wp-json/cocart/preview`: amounts are decimal strings."""
