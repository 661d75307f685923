"""The ledger and the vault: what happened, and what it left on disk."""
