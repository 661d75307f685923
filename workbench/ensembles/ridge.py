"""Least squares of members' values, drawn towards their plain mean."""

from __future__ import annotations

from itertools import chain

import numpy as np

from workbench.blending.weighted import Space, into
from workbench.ensembles.members import Members
from workbench.ensembles.threads import over_blocks
from workbench.metrics import Array

BLOCK = 1 << 18
"""Numbers of a block of rows."""

NOTHING = 1e-12
"""A residual's variance of so small a part of the values' is rounding."""


class Ridge:
    """The products of members' values with each other and the target; rows are looked at block by block, not copied."""

    def __init__(self, members: Members, space: Space) -> None:
        self.members, self.space = members, space
        y = members.y.astype(np.float64)
        self._y = np.log1p(np.maximum(y, 0.0)) if space == "log1p" else y
        # Values far from 0 beside their spread would cancel each other out in the products.
        middles = (into(column, space).mean() for column in members.predictions[:, :, 0])
        self._shift = np.fromiter(chain(middles, [self._y.mean()]), dtype=np.float64)
        self._weight, self._products = np.empty(0), np.empty((0, 0))

    def solve(self, weight: Array, penalty: float, start: tuple[Array, Array]) -> tuple[Array, Array]:  # noqa: ARG002 - as `Pool`
        """Minimise ``sum w (y - x a - b)^2 / var(residual of the mean) + penalty |a - mean|^2`` in closed form.

        Args:
            weight: Of the rows, ``(rows,)``.
            penalty: Finite; the same for euros and for cents.
            start: Not used: the solution is in closed form.

        Returns:
            Coefficients ``(members,)`` and the intercept ``(1,)``.
        """
        products = self._products_under(weight)
        middle = products[-1, :-1]
        centred = products[:-1, :-1] - np.outer(middle, middle)
        mean = np.full(len(self.members), 1.0 / len(self.members))
        residual = np.r_[-mean, 1.0]
        scale, spread = float(residual @ centred @ residual), float(np.trace(centred))
        coefficients = mean
        if scale > NOTHING * spread:
            table = centred[:-1, :-1] / scale + penalty / weight.sum() * np.eye(len(mean))
            coefficients = mean + np.linalg.lstsq(table, (centred @ residual)[:-1] / scale, rcond=None)[0]
        return coefficients, np.array([np.r_[-coefficients, 1.0] @ (self._shift + middle)])

    def _products_under(self, weight: Array) -> Array:
        """Return the mean products ``(members + 2, members + 2)`` of shifted members, the shifted target, and 1."""
        if not np.array_equal(weight, self._weight):  # the next penalty asks for the same
            share = weight / weight.sum()

            def products(block: slice) -> Array:
                values = into(self.members.predictions[:, block, 0], self.space)
                columns = np.vstack([values, self._y[block]]) - self._shift[:, None]
                columns = np.vstack([columns, np.ones(columns.shape[1])])
                found: Array = (columns * share[block]) @ columns.T
                return found

            width = max(256, BLOCK // len(self._shift))
            self._products = np.sum(list(over_blocks(products, slice(0, len(self._y)), width)), axis=0)
            self._weight = weight
        return self._products
