"""Access: who is calling, with which key or account, and what they may do."""
