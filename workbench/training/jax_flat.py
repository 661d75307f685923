"""A traced function as a flat program whose rates are inputs, so that programs which differ only in rates are one.

A factory's dropout rate, label smoothing or weight decay is a number in what JAX traces: another rate is another
program, which compiles for a second. Here such numbers are taken out of the trace and given as inputs, and what no
result needs is dropped: compiled metrics, such as an AUC of 200 thresholds that nobody looks at within an epoch, cost
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jax.extend import core as jax_core

from workbench.training.jax_text import UntellableError, aval_text, jaxprs_in, value_text

INLINED = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
"""Calls that are replaced by what they call: primitive → the parameter that holds it. A traced training step is not
differentiated any more, so that rules of derivatives have done their part."""
KEPT = frozenset({"pow"})
"""Operations whose numbers stay: with a known exponent XLA makes a power a square or a root."""


@dataclass(frozen=True)
class Fixed:
    """A number that stays in the program."""

    value: Any


Source = int | Fixed
"""What an operation reads: the place of a value, or a number."""


@dataclass(frozen=True)
class Operation:
    """One primitive, what it reads, and the places that it writes to."""

    equation: Any
    reads: tuple[Source, ...]
    writes: tuple[int, ...]


@dataclass(frozen=True)
class FlatProgram:
    """A traced function as a list of operations over numbered places; the inputs come first."""

    inputs: int
    constants: Mapping[int, Any]
    """Arrays that the function captured, by place."""
    rates: Mapping[int, Any]
    """Float numbers that were written in the function, such as a dropout rate, by place; scalars with their dtype."""
    operations: tuple[Operation, ...]
    outputs: tuple[Source, ...]
    avals: Mapping[int, Any] = field(repr=False)
    """Shape and dtype of each place."""

    def run(self, constants: Sequence[Any], rates: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Compute the outputs within a trace of JAX's; inputs that nothing reads may be given as ``None``."""
        places: dict[int, Any] = dict(enumerate(inputs))
        places |= zip(self.constants, constants, strict=True)
        places |= zip(self.rates, rates, strict=True)

        def read(source: Source) -> Any:
            return source.value if isinstance(source, Fixed) else places[source]

        for operation in self.operations:
            equation, primitive = operation.equation, operation.equation.primitive
            with equation.ctx.manager:
                found = primitive.bind(*map(read, operation.reads), **primitive.get_bind_params(equation.params))
            places |= zip(operation.writes, found if primitive.multiple_results else [found], strict=True)
        return [read(source) for source in self.outputs]

    def only(self, outputs: Iterable[int]) -> FlatProgram:
        """Return the program of some outputs, by their positions, without what those do not need."""
        kept = tuple(self.outputs[position] for position in outputs)
        needed = {place for place in kept if isinstance(place, int)}
        operations = []
        for operation in reversed(self.operations):
            if operation.equation.effects or not needed.isdisjoint(operation.writes):
                operations.append(operation)
                needed |= {place for place in operation.reads if isinstance(place, int)}
        return replace(
            self,
            constants={place: value for place, value in self.constants.items() if place in needed},
            rates={place: value for place, value in self.rates.items() if place in needed},
            operations=tuple(reversed(operations)),
            outputs=kept,
        )

    @property
    def needed(self) -> set[int]:
        """The places that are read, or given back as they are."""
        sources = (*self.outputs, *(source for operation in self.operations for source in operation.reads))
        return {source for source in sources if isinstance(source, int)}

    def uses(self, primitive: str) -> bool:
        """Say whether a primitive occurs, be it within a loop."""
        return any(_uses(operation.equation, primitive) for operation in self.operations)

    def key(self) -> str | None:
        """Return a hash of everything that the compiled program depends on; ``None`` where that cannot be told.

        Of inputs, constants and rates only shapes and dtypes count.
        """
        try:
            return hashlib.sha256("\n".join(self._lines()).encode()).hexdigest()
        except UntellableError:
            return None

    def _lines(self) -> Iterator[str]:
        names: dict[int, str] = {}
        for place in (*range(self.inputs), *self.constants, *self.rates):
            names[place] = str(len(names))
            yield aval_text(self.avals[place])

        def said(source: Source) -> str:
            return f"={value_text(source.value)}" if isinstance(source, Fixed) else names[source]

        for operation in self.operations:
            equation = operation.equation
            reads = ",".join(map(said, operation.reads))
            names |= {place: str(len(names) + i) for i, place in enumerate(operation.writes)}
            written = ",".join(aval_text(self.avals[place]) for place in operation.writes)
            yield f"{equation.primitive.name} {value_text(equation.params)} {equation.ctx!r} {reads} > {written}"
        yield ",".join(map(said, self.outputs))


def flatten(closed: Any) -> FlatProgram:
    """Return a ``ClosedJaxpr``, as ``jax.jit(function).trace(...).jaxpr`` is, as a flat program."""
    return _Flattening(closed).program()


class _Number:
    """A scalar of a jaxpr, which is a rate or stays, depending on the operations that read it."""

    def __init__(self, literal: Any) -> None:
        self.aval, self.value = literal.aval, literal.val
        self.place: int | None = None

    @property
    def may_vary(self) -> bool:
        """Whether it may be a rate: 0 and ±1 are structure more often than a rate, and simplify a program."""
        if self.aval.shape != () or not np.issubdtype(self.aval.dtype, np.floating):
            return False
        value = float(self.value)
        return np.isfinite(value) and value not in (-1.0, 0.0, 1.0)


class _Flattening:
    def __init__(self, closed: Any) -> None:
        self._closed = closed
        self._avals: dict[int, Any] = {}
        self._constants: dict[int, Any] = {}
        self._rates: dict[int, Any] = {}
        self._operations: list[Operation] = []

    def program(self) -> FlatProgram:
        jaxpr = self._closed.jaxpr
        inputs = [self._place(variable.aval) for variable in jaxpr.invars]
        outputs = [self._source(found, keep=True) for found in self._call(self._closed, inputs)]
        operations = tuple(self._operations)
        return FlatProgram(len(inputs), self._constants, self._rates, operations, tuple(outputs), self._avals)

    def _call(self, closed: Any, arguments: Sequence[int | _Number]) -> list[int | _Number]:
        jaxpr = closed.jaxpr
        known: dict[Any, int | _Number] = dict(zip(jaxpr.invars, arguments, strict=True))
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True):
            known[variable] = place = self._place(variable.aval)
            self._constants[place] = value

        def read(atom: Any) -> int | _Number:
            return _Number(atom) if isinstance(atom, jax_core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            name, reads = equation.primitive.name, [read(atom) for atom in equation.invars]
            if name in INLINED and not equation.effects:
                written = self._call(equation.params[INLINED[name]], reads)
            else:
                written = self._operation(equation, reads, keep=name in KEPT)
            known.update(zip(equation.outvars, written, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _operation(self, equation: Any, reads: Sequence[int | _Number], *, keep: bool) -> list[int | _Number]:
        sources = tuple(self._source(found, keep=keep) for found in reads)
        places = tuple(self._place(variable.aval) for variable in equation.outvars)
        self._operations.append(Operation(equation, sources, places))
        return list(places)

    def _source(self, found: int | _Number, *, keep: bool) -> Source:
        if isinstance(found, int):
            return found
        if keep or not found.may_vary:
            return Fixed(found.value)
        if found.place is None:
            found.place = self._place(found.aval)
            self._rates[found.place] = np.asarray(found.value, dtype=found.aval.dtype)
        return found.place

    def _place(self, aval: Any) -> int:
        place = len(self._avals)
        self._avals[place] = aval
        return place


def _uses(equation: Any, primitive: str) -> bool:
    if equation.primitive.name == primitive:
        return True
    return any(_uses(inner, primitive) for jaxpr in jaxprs_in(equation.params) for inner in jaxpr.eqns)
