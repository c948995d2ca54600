"""The gateways that Checkstand ships; wiring is the only one to import them."""
