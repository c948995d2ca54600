"""The audit log: who did what, from where and when. Entries are chained, and never changed.

`record` writes an entry in the transaction of what it is about, `record_with` in its statement.
`Journal.note` is for what has no transaction: it is written a moment later. Personal parts (an
address) stand apart and can be erased without breaking the chain, which holds a salted digest of
them.
"""

from checkstand.audit.origin import Origin, origin
from checkstand.audit.store import record, record_with

__all__ = ["Origin", "origin", "record", "record_with"]
