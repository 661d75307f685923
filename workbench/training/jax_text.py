"""The text of a jaxpr's parts, from which a compiled program is known again: equal texts are equal programs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

DERIVATIVES = frozenset({"jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd"})
"""Parameters of calls that only matter when they are differentiated: functions, of which there is no text."""


class UntellableError(Exception):
    """Something has no text that says all of it, such as a function."""


def aval_text(aval: Any) -> str:
    """Return shape and dtype of a value."""
    return f"{aval.dtype}{tuple(aval.shape)}" if hasattr(aval, "shape") else str(aval)


def value_text(value: Any) -> str:
    """Return a text that two parameters of primitives share only if they are equal.

    Raises:
        UntellableError: there is none.
    """
    if (jaxpr := _jaxpr_of(value)) is not None:
        return _jaxpr_text(jaxpr, getattr(value, "consts", ()))
    if isinstance(value, Mapping):
        told = sorted((str(name), part) for name, part in value.items() if name not in DERIVATIVES)
        return "{" + ",".join(f"{name}:{value_text(part)}" for name, part in told) + "}"
    if hasattr(value, "random_bits") and hasattr(value, "name"):  # a generator: a record of functions
        return str(value.name)
    if isinstance(value, (tuple, list)):
        named = type(value).__name__
        return f"{named}({','.join(map(value_text, value))})"
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        if jnp.issubdtype(value.dtype, jax.dtypes.extended):  # a key of random numbers
            raise UntellableError(repr(value))
        array = np.asarray(value)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    text = repr(value)
    if " at 0x" in text or "..." in text:
        raise UntellableError(text)
    return text


def jaxprs_in(params: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the jaxprs among a primitive's parameters."""
    for value in params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if (jaxpr := _jaxpr_of(part)) is not None:
                yield jaxpr


def _jaxpr_of(value: Any) -> Any:
    inner = getattr(value, "jaxpr", value)
    return inner if hasattr(inner, "eqns") else None


def _jaxpr_text(jaxpr: Any, constants: Any) -> str:
    names: dict[Any, str] = {}

    def written(variables: Any) -> str:
        for variable in variables:
            names[variable] = str(len(names))
        return ",".join(aval_text(variable.aval) for variable in variables)

    def said(atom: Any) -> str:
        return f"={value_text(atom.val)}{aval_text(atom.aval)}" if hasattr(atom, "val") else names[atom]

    lines = [written(jaxpr.constvars), value_text(tuple(constants)), written(jaxpr.invars)]
    for equation in jaxpr.eqns:
        reads = ",".join(map(said, equation.invars))
        lines.append(
            f"{equation.primitive.name} {value_text(equation.params)} {equation.ctx!r} {reads} > "
            f"{written(equation.outvars)}"
        )
    lines.append(",".join(map(said, jaxpr.outvars)))
    return "(" + "\n".join(lines) + ")"
