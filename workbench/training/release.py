"""What a worker gives back: compiled programs after some fits, everything that is kept after one without memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import sys

from workbench.training import keras_architecture, keras_loading, material

EVERY = 10
"""Fits between two times of dropping what JAX keeps of programs that no model uses any more."""

_fits = itertools.count(1)


def after_fit() -> None:
    """Give back what a fit with Keras leaves, now and then: each model is a program that is never called again.

    Models refer to themselves in circles, and JAX keeps a trace of each function that it compiled: without this a
    worker grows with every configuration.
    """
    if "keras" in sys.modules and next(_fits) % EVERY == 0:
        _drop_programs()


def everything() -> None:
    """Give back what is kept between trials: tables, compiled programs, and what only they refer to."""
    material.forget()
    keras_loading.forget()
    keras_architecture.forget()
    if (programs := sys.modules.get("workbench.training.jax_programs")) is not None:
        programs.forget()
    _drop_programs()


def _drop_programs() -> None:
    gc.collect()
    if (jax := sys.modules.get("jax")) is not None:
        jax.clear_caches()
        gc.collect()
    # glibc keeps what was freed: 180 MB after ten small networks. Other C libraries have no such function.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
