"""Signing in and out, tokens, and my-account: the same in both namespaces."""
