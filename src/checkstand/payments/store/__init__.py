"""All SQL about payments: a module for each table."""
