"""What a warm worker keeps between jobs: the least recently used goes when there is too much."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class LruCache(Generic[T]):
    """Values by key, at most ``limit`` in the unit of ``size``; the newest value is always kept."""

    def __init__(self, *, limit: float, size: Callable[[T], float]) -> None:
        """Keep values while their sizes add up to at most ``limit``."""
        self._limit, self._size = limit, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of ``key``, made when it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
        else:
            self._values[key] = make()
            self._shrink()
        return self._values[key]

    def find(self, key: Hashable) -> T | None:
        """Return the value of ``key``, or ``None`` when it is not there."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()

    def _shrink(self) -> None:
        while len(self._values) > 1 and sum(map(self._size, self._values.values())) > self._limit:
            self._values.popitem(last=False)
