"""Webhooks that providers send here."""
