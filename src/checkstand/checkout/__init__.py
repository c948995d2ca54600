"""The purchase: the checkout's state, its update, and the one way from a cart to an order."""
