"""What is installed and reachable, what is not, and what to do about it.

Nothing is changed by looking: no store is made, no ledger is migrated, nothing is repaired.
"""
