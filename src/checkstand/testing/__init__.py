"""What whoever writes a gateway tests it with: see docs/howto/write-a-gateway.md.

Needs pytest and pytest-asyncio, which the server itself does not.
"""
