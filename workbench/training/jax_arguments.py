"""What a flat program takes from outside, beside its inputs, as few arguments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from workbench.training.jax_flat import FlatProgram


class Outside:
    """A program's constants, and its rates as one vector of each dtype: each argument of a call costs time."""

    def __init__(self, program: FlatProgram) -> None:
        """Take a program."""
        self._program = program
        by_dtype: dict[Any, list[Any]] = {}
        self._places: list[tuple[Any, int]] = []
        for value in program.rates.values():
            vector = by_dtype.setdefault(str(value.dtype), [])
            self._places.append((str(value.dtype), len(vector)))
            vector.append(value)
        self.arguments: dict[str, Any] = {
            "constants": [value if _is_key(value) else np.asarray(value) for value in program.constants.values()],
            "rates": {dtype: np.stack(vector) for dtype, vector in by_dtype.items()},
        }
        """Arrays, on the host if NumPy knows their type, to be given as an argument of the compiled program."""

    @cached_property
    def key(self) -> str | None:
        """What programs made from it depend on; ``None`` where that cannot be told."""
        return self._program.key()

    def run(self, arguments: Any, inputs: Sequence[Any]) -> list[Any]:
        """Compute the program's outputs within a trace, whatever program of equal key the arguments are of."""
        rates = [arguments["rates"][dtype][position] for dtype, position in self._places]
        return self._program.run(arguments["constants"], rates, inputs)


def _is_key(value: Any) -> bool:
    """Say whether an array is of keys of random numbers, which there are on devices alone."""
    return bool(jnp.issubdtype(value.dtype, jax.dtypes.extended))


def shaped(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return what stands for an array in a trace."""
    make: Any = jax.ShapeDtypeStruct  # has no types
    return make(shape, jax.dtypes.canonicalize_dtype(dtype))
