"""The log-linear pool: logistic regression of the members' log-odds or log-probabilities, drawn towards their mean."""

from __future__ import annotations

import numpy as np

from workbench.blending.weighted import into
from workbench.ensembles.members import Members
from workbench.ensembles.threads import over_blocks
from workbench.metrics import Array

STEPS = 30
"""Newton's method needs 5 to 10 steps."""

BLOCK = 1 << 18
"""Numbers of a block of rows."""

DOUBLE = 1 << 24
"""So many inputs are held in double precision; of more, single precision is plenty for log-odds."""


class Pool:
    """Inputs ``(rows, outputs, members)``: what members say, as log-odds, or log-probabilities of several classes."""

    def __init__(self, members: Members) -> None:
        self.members, self._y = members, members.y.astype(np.int64)
        count, rows, outputs = members.predictions.shape
        kind = np.float64 if members.predictions.size <= DOUBLE else np.float32
        self._inputs = np.empty((rows, outputs, count), kind)
        for place, prediction in enumerate(members.predictions):
            self._inputs[:, :, place] = into(prediction, "logit")

    def solve(self, weight: Array, penalty: float, start: tuple[Array, Array]) -> tuple[Array, Array]:
        """Minimise ``sum w loss + penalty / 2 |a - mean|^2 (+ |b|^2)`` by Newton's method with halved steps.

        Args:
            weight: Of the rows, ``(rows,)``.
            penalty: Finite.
            start: Coefficients ``(members,)`` and intercepts ``(outputs,)`` to begin with.

        Returns:
            Coefficients and intercepts.
        """
        _, classes, count = self._inputs.shape
        point = np.concatenate(start)
        centre = np.r_[np.full(count, 1.0 / count), np.zeros(classes)]
        pull = np.r_[np.full(count, penalty), np.full(classes, min(penalty, 1.0))]
        value, gradient, curvature = self._expansion(weight, point, centre, pull)
        for _ in range(STEPS):
            step = np.linalg.solve(curvature, gradient)
            if gradient @ step < 1e-8 * max(1.0, value):
                break
            for _halving in range(12):
                moved = point - step
                found = self._expansion(weight, moved, centre, pull)
                if found[0] < value:
                    break
                step = step / 2.0
            else:
                break
            point = moved
            value, gradient, curvature = found
        return point[:count], point[count:]

    def _expansion(self, weight: Array, point: Array, centre: Array, pull: Array) -> tuple[float, Array, Array]:
        """Return the penalised log loss at a point, its gradient and its Hessian."""
        rows, classes, count = self._inputs.shape
        term = _binary if classes == 1 else _softmax

        def block(at: slice) -> tuple[float, Array, Array]:
            inputs = self._inputs[at].astype(np.float64, copy=False)
            logits = inputs @ point[:count] + point[count:]
            value, error, curvature = term(inputs, self._y[at], weight[at], logits)
            gradient = inputs.reshape(-1, count).T @ error.ravel()
            return value, np.r_[gradient, error.sum(axis=0)], curvature

        width = max(256, BLOCK // (classes * (count + 1)))
        values, gradients, curvatures = zip(*over_blocks(block, slice(0, rows), width), strict=True)
        distance = point - centre
        return (
            float(sum(values)) + 0.5 * float(pull @ distance**2),
            np.sum(gradients, axis=0) + pull * distance,
            np.sum(curvatures, axis=0) + np.diag(pull),
        )


def _binary(inputs: Array, y: Array, weight: Array, logits: Array) -> tuple[float, Array, Array]:
    """Return the loss, its derivatives by the logits ``(rows, 1)``, and the Hessian."""
    from scipy.special import expit

    value = float(weight @ np.logaddexp(0.0, np.where(y == 1, -logits[:, 0], logits[:, 0])))
    p = expit(logits[:, 0])
    error = (weight * (p - (y == 1)))[:, None]
    x = np.column_stack([inputs[:, 0, :], np.ones(len(p))])
    return value, error, (x * (weight * p * (1.0 - p))[:, None]).T @ x


def _softmax(inputs: Array, y: Array, weight: Array, logits: Array) -> tuple[float, Array, Array]:
    """Return the loss, its derivatives by the logits ``(rows, classes)``, and the Hessian."""
    rows, classes, count = inputs.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    value = float(weight @ (np.log(total[:, 0]) - shifted[np.arange(rows), y]))
    error = p.copy()
    error[np.arange(rows), y] -= 1.0
    error *= weight[:, None]
    # The design of class k is its inputs and the k-th unit vector; the Hessian is its covariance under p.
    mean = np.column_stack([(p[:, None, :] @ inputs)[:, 0, :], p])
    weighted = p * weight[:, None]
    second = np.empty((count + classes, count + classes))
    flat = inputs.reshape(-1, count)
    second[:count, :count] = (flat * weighted.reshape(-1, 1)).T @ flat
    second[:count, count:] = np.einsum("nk,nkm->mk", weighted, inputs)
    second[count:, :count] = second[:count, count:].T
    second[count:, count:] = np.diag(weighted.sum(axis=0))
    return value, error, second - (mean * weight[:, None]).T @ mean
