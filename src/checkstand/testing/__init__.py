"""What whoever writes a gateway tests it with: see docs/howto/write-a-gateway.md.

Needs pytest and pytest-asyncio, which the server itself does not.
"""

import pytest

# Before they are imported: so that a failed assertion shows both of its sides.
pytest.register_assert_rewrite("checkstand.testing.promises", "checkstand.testing.suite")
