"""The same calls on KerasTuner's ``hp`` and on ours give the same values, names and grids. Run by a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as theirs

from workbench.models import ranges
from workbench.models.factory import call_factory
from workbench.models.hyperparameters import HyperParameters


def declare(hp: Any) -> Iterator[Any]:
    yield hp.Int("a", 6, 13, step=3)
    yield hp.Int("b", 2, 32, step=2, sampling="log", default=8)
    yield hp.Float("c", 0.001, 10, step=10, sampling="log")
    yield hp.Float("d", 0, 1)
    yield hp.Choice("e", [16, 32])
    yield hp.Boolean("f", default=True)
    yield hp.Fixed("g", "x")
    with hp.name_scope("scope"):
        yield hp.Choice("h", ["u", "v"])
        with hp.conditional_scope("h", ["v"]):
            yield hp.Int("i", 1, 3)
        yield hp.Float("j", 0.5, 0.9, parent_name="h", parent_values=["u"])


class Model(keras_tuner.HyperModel):
    def build(self, hp: Any) -> list[Any]:
        return list(declare(hp))


def check_declarations() -> None:
    ours, original = HyperParameters(), keras_tuner.HyperParameters()
    expected = list(declare(original))
    for factory in (Model, Model(), Model(tunable=False)):
        assert call_factory(factory, HyperParameters(), None) == expected  # type: ignore[arg-type]
    call_factory(Model, ours, None)  # type: ignore[arg-type]
    assert ours.values == original.values
    assert [p.name for p in ours.space.parameters] == [p.name for p in original.space]
    fixed = HyperParameters()
    call_factory(Model(tunable=False), fixed, None)  # type: ignore[arg-type]
    assert fixed.used == {}, "a HyperModel that is not tunable declares nothing"


def check_grids() -> None:
    for kind in ("Int", "Float"):
        for sampling in ("linear", "log", "reverse_log"):
            for low, high, step in ((2, 33, 3), (1, 1000, 10), (3, 3, 2)):
                their = getattr(theirs, kind)("x", low, high, step=step, sampling=sampling)
                our = ranges.number("x", kind.lower(), low, high, step=step, sampling=sampling)  # type: ignore[arg-type]
                grid = [float(ranges.value_at(our, i)) for i in range(ranges.count(our) or 0)]
                expected = sorted(float(value) for value in their.values)
                assert len(grid) == len(expected)
                # Theirs counts reverse_log from max_value, which need not be on the grid.
                offset = grid[-1] - expected[-1]
                assert all(abs(a - b - offset) < 1e-9 for a, b in zip(grid, expected, strict=True)), (our, expected)
                assert offset == 0 or sampling == "reverse_log"


if __name__ == "__main__":
    check_declarations()
    check_grids()
    print("agreed")
