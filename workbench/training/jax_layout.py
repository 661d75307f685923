"""How several splits lie on devices, and how a program of one split becomes a program of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from numpy.typing import NDArray

Strategy = Literal["map", "vmap", "shard"]
OfOne = Callable[[Any, Any], Any]
"""``f(shared, own) -> outputs``: trees of what all splits share, and of what is a split's own."""

AXIS = "splits"
_axes: Any = jax.sharding.PartitionSpec  # has no types


@dataclass(frozen=True)
class Layout:
    """So many splits, one after another (``map``), in one batch (``vmap``), or on several devices (``shard``)."""

    strategy: Strategy
    splits: int

    @property
    def slots(self) -> int:
        """How many there are in stacked arrays: on several devices all have as many, and some may be empty."""
        return -(-self.splits // self._devices) * self._devices

    def stack(self, arrays: Sequence[Any]) -> Any:
        """Return the splits' arrays of equal shape as one, on its devices; the first array fills empty slots up.

        It is put together on the host: on a device each new shape would compile a program.
        """
        first = np.asarray(arrays[0])
        whole = np.empty((self.slots, *first.shape), dtype=first.dtype)
        for slot in range(self.slots):
            whole[slot] = arrays[slot] if slot < self.splits else first
        return self.put(whole)

    def put(self, array: NDArray[Any]) -> Any:
        """Return a stacked array ``(slots, …)`` on its devices."""
        return jax.device_put(array, self._sharding)

    def stack_trees(self, trees: Sequence[Any]) -> Any:
        """Return trees of arrays as one tree of stacked arrays."""
        return jax.tree.map(lambda *arrays: self.stack(arrays), *trees)

    def mapped(self, of_one: OfOne) -> OfOne:
        """Return the function of all splits: ``own`` and the outputs are stacked, ``shared`` is not."""
        if self.strategy == "vmap":
            return jax.vmap(of_one, in_axes=(None, 0))
        if self.slots == 1:  # without a loop around it
            return lambda shared, own: _first_axis(of_one(shared, jax.tree.map(lambda array: array[0], own)))

        def one_by_one(shared: Any, own: Any) -> Any:
            return jax.lax.map(lambda each: of_one(shared, each), own)

        if self.strategy == "map":
            return one_by_one
        stacked = _axes(AXIS)
        return jax.shard_map(
            one_by_one, mesh=self._mesh, in_specs=(_axes(), stacked), out_specs=stacked, check_vma=False
        )

    @property
    def key(self) -> str:
        """What compiled programs depend on: how, how many, and on which kind of device."""
        device = jax.local_devices()[0]
        return f"{self.strategy} {self.slots} {self._devices} {device.platform} {device.device_kind}"

    @property
    def _devices(self) -> int:
        return min(self.splits, jax.local_device_count()) if self.strategy == "shard" else 1

    @cached_property
    def _mesh(self) -> Mesh:
        return Mesh(np.asarray(jax.local_devices()[: self._devices]), (AXIS,))

    @cached_property
    def _sharding(self) -> Any:
        if self.strategy == "shard":
            return NamedSharding(self._mesh, _axes(AXIS))
        return jax.local_devices()[0]


def _first_axis(tree: Any) -> Any:
    return jax.tree.map(lambda array: jnp.expand_dims(array, 0), tree)
