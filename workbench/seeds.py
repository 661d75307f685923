"""Seeds by name: the same parts give the same seed on every machine and Python version."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: object) -> int:
    """Return a seed in ``[0, 2**31)`` from the SHA-256 of the parts.

    A training seed is ``derive_seed(experiment_seed, repeat, split, purpose)``: never the trial's number, so that
    equal configurations give equal results.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
