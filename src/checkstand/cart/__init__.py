"""The cart: one document in one row, the verbs on it, and the view that every answer is made of."""
