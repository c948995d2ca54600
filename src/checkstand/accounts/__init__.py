"""Accounts of shoppers: how they come to be, and what their owners see and change."""
