"""Shipping: zones and methods from the settings, matched against a destination; pure."""
