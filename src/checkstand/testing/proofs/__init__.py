"""The proofs that a purchase happens exactly once: see docs/howto/prove-a-gateway.md."""
