"""TensorFlow's registry of gradients, which keeps every graph that an optimizer was traced in, for ever."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

REDUCTION = "all_reduce"


def forget_reductions() -> None:
    """Drop the gradients of the optimizers' reductions: 4 MB a trial, and only gradients of gradients ask for them.

    Keras adds up gradients by ``ReplicaContext.all_reduce``, also where there is one replica. That has a
    ``tf.custom_gradient``, which TensorFlow registers at each trace, with its graph, and never drops
    (https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/python/ops/custom_gradient.py). After the trace of
    a training step nobody asks for it. The registry is not public: where it is another one, memory is not given back.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from tensorflow.python.framework import ops

        entries = ops.gradient_registry._registry
        for name in [name for name, entry in entries.items() if _reduces(name, entry["type"])]:
            del entries[name]


def _reduces(name: str, function: Any) -> bool:
    return name.startswith("CustomGradient-") and REDUCTION in getattr(
        _held(_held(function, "tape_grad_fn"), "grad_fn"), "__qualname__", ""
    )


def _held(function: Any, name: str) -> Any:
    """Return what a function's closure holds under a name."""
    return inspect.getclosurevars(function).nonlocals.get(name) if inspect.isfunction(function) else None
