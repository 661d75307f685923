"""``hp``: how a factory declares its hyperparameters, and how it gets their values.

The methods, their signatures and their defaults are KerasTuner's, so that a ``build(hp)`` written for it runs here. The
class is our own because importing ``keras_tuner`` imports TensorFlow whatever the Keras backend.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.errors import FactoryError, nearest
from workbench.models import ranges
from workbench.types import Condition, Parameter, Scalar, Space, Values


class HyperParameters:
    """The values of one configuration, and the record of what was declared.

    A parameter that is missing from ``values`` takes its default. Differences to KerasTuner, all on purpose: values and
    defaults outside a range are errors; a name that is declared twice with different ranges is an error (KerasTuner
    keeps the first); a parameter under a condition that does not hold gives its default, where KerasTuner gives
    ``None`` (as `like_keras_tuner` does); choices may mix types.
    """

    def __init__(self, values: Mapping[str, Scalar] | None = None, *, space: Space | None = None) -> None:
        """Give ``values``; parameters of ``space`` have the range and default that they have there."""
        self._given: Values = dict(values or {})
        self._ranges = {} if space is None else {parameter.name: parameter for parameter in space.parameters}
        self._known_good = False
        self._written: dict[str, Parameter] = {}
        self._declared: dict[str, Parameter] = {}
        self._used: Values = {}
        self._scopes: list[str] = []
        self._conditions: list[Condition] = []
        self._opened: dict[Condition, None] = {}
        self._none_if_inactive = False

    @classmethod
    def exactly(cls, values: Mapping[str, Scalar]) -> HyperParameters:
        """Give values that were checked when they were trained: those of a bundle, whatever the factory's ranges."""
        hp = cls(values)
        hp._known_good = True
        return hp

    def anew(self) -> HyperParameters:
        """Return a record that gives the same values, in which nothing is declared yet."""
        other = HyperParameters(self._given)
        other._ranges, other._known_good = self._ranges, self._known_good
        return other

    # KerasTuner's names: the casing and the long signatures are its.

    def changed(self, values: Mapping[str, Scalar]) -> HyperParameters:
        """Return a record of the same declarations, some of whose values are others that lie in their ranges."""
        other = self.anew()
        other._given |= values
        other._written, other._declared = dict(self._written), dict(self._declared)
        other._opened = dict(self._opened)
        other._used = self._used | {name: value for name, value in values.items() if name in self._used}
        return other

    def Int(
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = "linear",
        default: int | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return a whole number in ``[min_value, max_value]``; the default is ``min_value``.

        ``step`` is added between values, or multiplied with where ``sampling`` is ``log`` or ``reverse_log``.
        """
        # A step of 1 says nothing; where it multiplies it is an error, which `ranges.number` raises.
        step = None if step == 1 and sampling in (None, "linear") else step
        with self._maybe(parent_name, parent_values):
            declared = ranges.number(
                self._full(name), "int", min_value, max_value, step=step, sampling=sampling, default=default
            )
            return self.declare(declared)

    def Float(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = "linear",
        default: float | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return a number in ``[min_value, max_value]``; the default is ``min_value``."""
        with self._maybe(parent_name, parent_values):
            declared = ranges.number(
                self._full(name), "float", min_value, max_value, step=step, sampling=sampling, default=default
            )
            return self.declare(declared)

    def Choice(
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,
        default: Any = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """Return one of ``values``; the default is the first one. ``ordered`` is accepted, and changes nothing."""
        if ordered and any(isinstance(value, str) for value in values):
            raise FactoryError(f"hyperparameter '{name}': ordered=True needs numbers, got {list(values)!r}")
        with self._maybe(parent_name, parent_values):
            return self.declare(ranges.choice(self._full(name), values, default))

    def Boolean(
        self, name: str, default: bool = False, parent_name: str | None = None, parent_values: Any = None
    ) -> Any:
        """Return true or false."""
        with self._maybe(parent_name, parent_values):
            return self.declare(ranges.boolean(self._full(name), default))

    def Fixed(self, name: str, value: Scalar, parent_name: str | None = None, parent_values: Any = None) -> Any:
        """Return ``value``: recorded, not searched."""
        with self._maybe(parent_name, parent_values):
            return self.declare(ranges.fixed(self._full(name), value))

    @contextlib.contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """Declare what is inside under a condition: it exists only while the parent has one of ``parent_values``.

        Code under the scope runs whether or not the condition holds.
        """
        parent = self._known(self._full(parent_name))
        several = isinstance(parent_values, Sequence) and not isinstance(parent_values, str)
        written = self._written[parent.name]
        wanted = tuple(ranges.checked(written, value) for value in (parent_values if several else [parent_values]))
        # A value that the experiment's narrower range leaves out never holds.
        possible = tuple(value for value in wanted if ranges.allows(parent, value))
        self._conditions.append(Condition(parameter=parent.name, values=possible))
        self._opened[self._conditions[-1]] = None
        try:
            yield
        finally:
            self._conditions.pop()

    @contextlib.contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Prefix the names of what is declared inside with ``name/``."""
        self._scopes.append(str(name))
        try:
            yield
        finally:
            self._scopes.pop()

    def get(self, name: str) -> Any:
        """Return the value of a parameter that was declared before.

        Raises:
            KeyError: no parameter has that name.
            ValueError: its condition does not hold.
        """
        full = self._full(name)
        if full in self._used:
            return self._used[full]
        if full in self._declared:
            raise ValueError(f"hyperparameter '{full}' is inactive: its condition does not hold")
        raise KeyError(f"hyperparameter '{full}' was not declared.{nearest(full, self._declared)}")

    def __getitem__(self, name: str) -> Any:
        """Return `get` of ``name``."""
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        """Say whether a parameter of that name was declared and is active."""
        return isinstance(name, str) and self._full(name) in self._used

    # What the rest of the workbench reads.

    @property
    def space(self) -> Space:
        """Everything that was declared, active or not, in order of declaration: parents before children."""
        return Space(parameters=tuple(self._declared.values()))

    @property
    def opened(self) -> tuple[Condition, ...]:
        """The conditions of every scope that was opened, also of those in which nothing was declared."""
        return tuple(self._opened)

    @property
    def used(self) -> Values:
        """The values that the factory asked for while their conditions held."""
        return dict(self._used)

    @property
    def values(self) -> Values:
        """The same as `used`, under KerasTuner's name."""
        return self.used

    def declare(self, parameter: Parameter) -> Any:
        """Record a parameter under the scopes around the call, and return its value."""
        conditions = tuple(dict.fromkeys(self._conditions))
        if any(condition.parameter == parameter.name for condition in conditions):
            raise FactoryError(f"hyperparameter '{parameter.name}' lies under a condition on itself; rename one")
        ranged = self._ranged(parameter)
        self._record(ranged.model_copy(update={"conditions": conditions}))
        self._written.setdefault(parameter.name, parameter)
        if not all(self._used.get(c.parameter, _MISSING) in c.values for c in conditions):
            return None if self._none_if_inactive else parameter.default
        if parameter.name not in self._used:
            given = self._given.get(parameter.name, ranged.default)
            self._used[parameter.name] = given if self._known_good else ranges.checked(ranged, given)
        return self._used[parameter.name]

    def copy(self) -> HyperParameters:
        """Return a record of its own with the same values and declarations."""
        other = self.anew()
        other._written = dict(self._written)
        other._declared, other._used, other._opened = dict(self._declared), dict(self._used), dict(self._opened)
        other._none_if_inactive = self._none_if_inactive
        return other

    @contextlib.contextmanager
    def like_keras_tuner(self) -> Iterator[None]:
        """Give ``None`` for what is inactive, as code that was written for KerasTuner expects."""
        self._none_if_inactive = True
        try:
            yield
        finally:
            self._none_if_inactive = False

    def _ranged(self, written: Parameter) -> Parameter:
        """Return a parameter with the range that the experiment's configuration gives it, where it gives one."""
        wanted = self._ranges.get(written.name)
        if wanted is None:
            return written
        if wanted.kind != written.kind:
            raise FactoryError(
                f"hyperparameter '{written.name}': the experiment's space has {ranges.describe(wanted)}, but the "
                f"factory declares {ranges.describe(written)}; a changed range must be of the same kind"
            )
        return wanted

    def _record(self, new: Parameter) -> None:
        old = self._declared.get(new.name)
        if old is None:
            self._declared[new.name] = new
        elif old.model_copy(update={"conditions": new.conditions}) != new:
            raise FactoryError(
                f"hyperparameter '{new.name}' is declared twice: as {ranges.describe(old)}, and as "
                f"{ranges.describe(new)}. Give the two different names, or the same range and default"
            )
        else:
            self._declared[new.name] = old.model_copy(update={"conditions": either(old.conditions, new.conditions)})

    def _known(self, name: str) -> Parameter:
        try:
            return self._declared[name]
        except KeyError:
            raise FactoryError(
                f"conditional scope on '{name}': no such hyperparameter was declared before."
                f"{nearest(name, self._declared)}"
            ) from None

    def _full(self, name: str) -> str:
        return "/".join([*self._scopes, str(name)])

    @contextlib.contextmanager
    def _maybe(self, parent_name: str | None, parent_values: Any) -> Iterator[None]:
        if parent_name is None:
            yield
            return
        with self.conditional_scope(parent_name, parent_values):
            yield


_MISSING = object()
"""Equal to no value: what an inactive parent has."""


def either(left: tuple[Condition, ...], right: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return conditions that hold wherever those of ``left`` or those of ``right`` do.

    Conditions on one parameter are joined. Conditions that only one side has are dropped: a parameter that is then
    called active without being asked for costs a suggestion, one that is called inactive would never be searched.
    """
    others = {condition.parameter: condition for condition in right}
    return tuple(
        Condition(
            parameter=condition.parameter,
            values=tuple(dict.fromkeys(condition.values + others[condition.parameter].values)),
        )
        for condition in left
        if condition.parameter in others
    )
