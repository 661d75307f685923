"""Compiled programs, kept by what they really depend on: a later trial of the same program does not compile."""

from __future__ import annotations

from typing import Any

import jax

from workbench.training.cache import LruCache
from workbench.training.jax_layout import Layout, OfOne

MOST = 24
"""Programs that are kept, each of about a megabyte."""

_programs: LruCache[Any] = LruCache(limit=MOST, size=lambda _: 1)


def compiled(key: str | None, layout: Layout, of_one: OfOne, shared: Any, own: Any, donated: str | None = None) -> Any:
    """Return a compiled program of all splits, called as ``program(shared, own)``.

    Args:
        key: what ``of_one`` depends on beside its arguments; ``None`` where that is not known: it compiles.
        layout: of the splits.
        of_one: the program of one split.
        shared: arguments as they will be given, or their shapes.
        own: stacked arguments; a mapping.
        donated: name among ``own`` of what the program may write its results into; the caller's are gone then.
    """

    def run(shared: Any, own: Any, gone: Any) -> Any:
        return layout.mapped(of_one)(shared, own if donated is None else {**own, donated: gone})

    def split(own: Any) -> tuple[Any, Any]:
        if donated is None:
            return own, None
        return {name: part for name, part in own.items() if name != donated}, own[donated]

    def make() -> Any:
        return jax.jit(run, donate_argnums=2).trace(shared, *split(own)).lower().compile()

    if key is None:
        program = make()
    else:
        shapes = jax.tree.map(lambda array: f"{array.dtype}{tuple(array.shape)}", (shared, own))
        program = _programs.get((key, layout.key, str(shapes)), make)
    return lambda shared, own: program(shared, *split(own))


def forget() -> None:
    """Let go of all programs."""
    _programs.clear()
