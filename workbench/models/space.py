"""Finding out what a factory declares: it is built with its defaults, and with values that might reveal more."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from workbench.errors import FactoryError
from workbench.models import ranges
from workbench.models.hyperparameters import HyperParameters, either
from workbench.types import Condition, Parameter, Scalar, Space, Values

MAX_PROBES = 30
"""Builds at most. What stays hidden takes its default when a trial meets it, and is searched from then on."""
MAX_VALUES = 12
"""Parameters with more values are not tried value by value."""


def discover(probe: Callable[[HyperParameters], None], *, limit: int = MAX_PROBES, given: Space | None = None) -> Space:
    """Return the space of a factory; ``probe`` builds it once, with the values that it is given.

    Parameters that ``given`` has are searched as it says, instead of as the factory does.

    The defaults are probed first, then one value after the other of what may decide which parameters exist: choices,
    booleans, whole numbers of few values (such as a number of layers) and parents of declared conditions. A parameter
    that was declared under some values of another one only gets that as a `Condition`, if all probes agree with it.

    Raises:
        FactoryError: a probe raised it (the message names the values), or a parameter's range depends on another one.
    """
    exploration = _Exploration(probe, given)
    exploration.visit({}, "")
    while exploration.waiting and len(exploration.visits) < limit:
        _, _, assigned, varied = heapq.heappop(exploration.waiting)
        exploration.visit(assigned, varied)
    return _with_inferred(_merged(exploration.visits), exploration)


@dataclass(frozen=True)
class _Visit:
    """One build: the values that were set, those that were asked for, and what was declared."""

    assigned: Values
    used: Values
    space: Space
    opened: tuple[Condition, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.space.parameters)


@dataclass
class _Exploration:
    """The builds so far and those to come."""

    probe: Callable[[HyperParameters], None]
    given: Space | None = None
    visits: list[_Visit] = field(default_factory=list)
    waiting: list[tuple[int, int, Values, str]] = field(default_factory=list)
    """A heap: rank (less is sooner), place in line, values, name of the value that is new."""
    tables: dict[str, dict[Scalar, _Visit]] = field(default_factory=dict)
    """Builds that differ in nothing but one parameter's value: parameter → value → build."""
    queued: set[tuple[str, Scalar]] = field(default_factory=set)

    def visit(self, assigned: Values, varied: str) -> None:
        hp = HyperParameters(assigned, space=self.given)
        try:
            self.probe(hp)
        except FactoryError as error:
            if assigned:
                raise FactoryError(f"{error}\nThis happens with {_shown(assigned)}") from error
            raise
        visit = _Visit(assigned, hp.used, hp.space, hp.opened)
        self.visits.append(visit)
        if varied in visit.used:
            self._compare(visit, varied)
        for parameter in visit.space.parameters:
            if parameter.name in visit.used and parameter.name not in self.tables:
                self._open(parameter, visit)
        self._queue_declared(visit)

    def _open(self, parameter: Parameter, visit: _Visit) -> None:
        """Start a table at a parameter's first build, and queue the values that may change what is declared."""
        values = _few_values(parameter)
        if not values:
            return
        self.tables[parameter.name] = {visit.used[parameter.name]: visit}
        # Of whole numbers the ends tell whether the rest is worth building.
        first = (values[-1], values[0]) if parameter.kind == "int" else values
        for value in first:
            self._queue(visit.assigned, parameter.name, value, rank=1 if parameter.kind == "int" else 0)

    def _compare(self, visit: _Visit, name: str) -> None:
        """Enter a build into its parameter's table; queue a whole number's other values if it declares others."""
        table = self.tables.get(name)
        if table is None:
            return
        base = next(iter(table.values()))
        if visit.assigned != {**base.assigned, name: visit.assigned[name]}:
            return
        table[visit.used[name]] = visit
        parameter = next(p for p in visit.space.parameters if p.name == name)
        if parameter.kind == "int" and visit.names != base.names:
            for value in reversed(_few_values(parameter)):
                self._queue(base.assigned, name, value, rank=2)

    def _queue_declared(self, visit: _Visit) -> None:
        """Queue the values under which declared conditions hold, whatever their parents' kinds."""
        for condition in visit.opened:
            if condition.parameter in visit.used:
                for value in condition.values:
                    self._queue(visit.assigned, condition.parameter, value, rank=0)

    def _queue(self, assigned: Values, name: str, value: Scalar, *, rank: int) -> None:
        built = self.tables.get(name, {})
        if (name, value) in self.queued or value in built:
            return
        self.queued.add((name, value))
        heapq.heappush(self.waiting, (rank, len(self.queued), {**assigned, name: value}, name))


def _few_values(parameter: Parameter) -> tuple[Scalar, ...]:
    """Return the parameter's values if they are few but more than one, else none."""
    number = ranges.count(parameter)
    if number is None or not 1 < number <= MAX_VALUES:
        return ()
    return tuple(ranges.value_at(parameter, index) for index in range(number))


def _merged(visits: list[_Visit]) -> Space:
    """Return everything that was declared, in the order in which it was met."""
    found: dict[str, Parameter] = {}
    for visit in visits:
        for parameter in visit.space.parameters:
            known = found.setdefault(parameter.name, parameter)
            same = known.model_copy(update={"default": parameter.default, "conditions": parameter.conditions})
            if same != parameter:
                raise FactoryError(
                    f"hyperparameter '{known.name}' is declared as {ranges.describe(known)}, but as "
                    f"{ranges.describe(parameter)} with {_shown(visit.assigned)}. A range must not depend on other "
                    "values: give the two different names"
                )
            joined = either(known.conditions, parameter.conditions)
            found[parameter.name] = known.model_copy(update={"conditions": joined})
    return Space(parameters=tuple(found.values()))


def _with_inferred(space: Space, exploration: _Exploration) -> Space:
    """Add the conditions that the builds show and the factory did not declare."""
    done: dict[str, Parameter] = {}
    for parameter in space.parameters:
        stated = {condition.parameter for condition in parameter.conditions}
        candidates = (done[name] for name in done if name not in stated)
        inferred = [c for parent in candidates if (c := _condition(parameter, parent, exploration)) is not None]
        conditions = parameter.conditions + tuple(_without_implied(inferred, done))
        done[parameter.name] = parameter.model_copy(update={"conditions": conditions})
    return Space(parameters=tuple(done.values()))


def _condition(parameter: Parameter, parent: Parameter, exploration: _Exploration) -> Condition | None:
    """Return the values of ``parent`` under which ``parameter`` may exist; ``None`` if it does not depend on them.

    A value that was never built may be one of them.
    """
    table = exploration.tables.get(parent.name, {})
    absent = {value for value, visit in table.items() if parameter.name not in visit.names}
    if not absent or len(absent) == len(table):
        return None
    values = tuple(value for value in _few_values(parent) if value not in absent)
    declared_in = [visit for visit in exploration.visits if parameter.name in visit.names]
    if any(visit.used.get(parent.name) not in values for visit in declared_in):
        return None
    return Condition(parameter=parent.name, values=values)


def _without_implied(conditions: list[Condition], known: dict[str, Parameter]) -> list[Condition]:
    """Drop a condition that another one's parameter has itself: the nearer one says it already."""
    implied = {(c.parameter, c.values) for condition in conditions for c in known[condition.parameter].conditions}
    return [c for c in conditions if (c.parameter, c.values) not in implied]


def _shown(values: Values) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items()) or "the defaults"
