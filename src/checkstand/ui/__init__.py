"""Pages for people: the hosted checkout, the demo shop, the admin screens."""
