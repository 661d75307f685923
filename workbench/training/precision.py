"""Keras' global dtype policy while a model is built: what layers compute in, and what their weights are kept in.

Keras keeps the policy by thread. Nothing is imported: a process without Keras is left alone.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def under(policy: Any) -> Iterator[Callable[[], None]]:
    """Set the policy that layers take which are told none; what was set before is put back afterwards.

    Args:
        policy: a name such as "mixed_bfloat16", or a ``keras.DTypePolicy``.

    Yields:
        What sets it again: for a Keras that has been imported since.
    """
    config = _config()
    before = None if config is None else config.dtype_policy()

    def again() -> None:
        found = _config()
        if found is not None:
            found.set_dtype_policy(policy)

    again()
    try:
        yield again
    finally:
        config = _config()
        if config is not None:
            config.set_dtype_policy(config.floatx() if before is None else before)


def _config() -> Any:
    return getattr(sys.modules.get("keras"), "config", None)  # absent while Keras is being imported
