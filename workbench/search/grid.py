"""The grid of a conditional space: how many configurations it has, and the one at a rank, without listing them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from workbench.models.ranges import count, value_at
from workbench.search.points import continuous, value_at_point
from workbench.types import Parameter, Scalar, Space, Values

POINTS = 10
"""So many values, even in its scale, stand for a range without steps; KerasTuner's GridSearch takes as many."""

Choices = tuple[tuple[str, Scalar], ...]
"""Values of the parameters on which others depend."""


class Grid:
    """Every active combination of the parameters' values, ranked as nested loops would visit them."""

    def __init__(self, space: Space) -> None:
        """Count the configurations."""
        self._parameters = space.parameters
        self._axes = [_axis(parameter) for parameter in space.parameters]
        self._parents = {c.parameter for parameter in space.parameters for c in parameter.conditions}
        self._below = cache(self._count)
        self.size: int = self._below(0, ())

    def values(self, rank: int) -> Values:
        """Return the configuration at a rank in ``[0, size)``."""
        values: Values = {}
        parents: Choices = ()
        for index, (parameter, axis) in enumerate(zip(self._parameters, self._axes, strict=True)):
            if not parameter.active(dict(parents)):
                continue
            if parameter.name not in self._parents:
                place, rank = divmod(rank, self._below(index + 1, parents))
                values[parameter.name] = axis[place]
                continue
            for value in axis:
                chosen = (*parents, (parameter.name, value))
                if rank < (inside := self._below(index + 1, chosen)):
                    break
                rank -= inside
            values[parameter.name], parents = value, chosen
        return values

    def rank(self, values: Values) -> int | None:
        """Return the rank of a configuration; ``None`` for one that lies beside the grid."""
        rank, parents = 0, ()  # type: int, Choices
        for index, (parameter, axis) in enumerate(zip(self._parameters, self._axes, strict=True)):
            if not parameter.active(dict(parents)):
                continue
            place = _place(axis, values.get(parameter.name))
            if place is None:
                return None
            if parameter.name not in self._parents:
                rank += place * self._below(index + 1, parents)
                continue
            rank += sum(self._below(index + 1, (*parents, (parameter.name, axis[i]))) for i in range(place))
            parents = (*parents, (parameter.name, axis[place]))
        return rank

    def _count(self, index: int, parents: Choices) -> int:
        """Return how many ways there are to choose the parameters from ``index`` on."""
        if index == len(self._parameters):
            return 1
        parameter, axis = self._parameters[index], self._axes[index]
        if not parameter.active(dict(parents)):
            return self._below(index + 1, parents)
        if parameter.name not in self._parents:
            return len(axis) * self._below(index + 1, parents)
        return sum(self._below(index + 1, (*parents, (parameter.name, value))) for value in axis)


def _axis(parameter: Parameter) -> Sequence[Scalar]:
    places = count(parameter)
    if places is None or (continuous(parameter) and places > POINTS):
        return tuple(dict.fromkeys(value_at_point(parameter, (i + 0.5) / POINTS) for i in range(POINTS)))
    if parameter.kind == "int" and parameter.step is None and not parameter.reverse:
        return range(int(parameter.low or 0), int(parameter.high or 0) + 1)
    return tuple(value_at(parameter, place) for place in range(places))


def _place(axis: Sequence[Scalar], value: Scalar | None) -> int | None:
    if isinstance(axis, range):
        return axis.index(value) if isinstance(value, int) and value in axis else None
    same = (i for i, v in enumerate(axis) if v == value and isinstance(v, bool) == isinstance(value, bool))
    return next(same, None)
