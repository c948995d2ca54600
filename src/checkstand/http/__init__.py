"""The wire: what requests say, turned into use cases, and what those answer, turned into JSON."""
