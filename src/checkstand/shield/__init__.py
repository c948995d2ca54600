"""The shield: how often somebody may ask, and how many declined cards are too many."""
