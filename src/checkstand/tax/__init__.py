"""Tax: rates kept in the database, matched against an address, and the pure arithmetic of rates."""
