"""`/wp-json/cocart/v2`: amounts are minor units in strings."""
