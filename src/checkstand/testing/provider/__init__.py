"""A payment provider for proofs: a process of its own, spoken to over real HTTP, whose ledger
survives whatever happens to the shop.

    with played() as url:           # starts it, and stops it at the end of the block
        peer = ProviderPeer(url)

`ledger` is what it knows, `server` how it is asked, `gateway` the shop's side, `peer` the proof's.
"""

from checkstand.testing.provider.peer import ProviderPeer
from checkstand.testing.provider.playing import played

__all__ = ["ProviderPeer", "played"]
