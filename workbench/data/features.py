"""Feature sets: a user's functions and classes that turn the table into another one before its preparation.

::

    from workbench import feature_set

    @feature_set
    def v1(frame):
        frame["ratio"] = frame["debt"] / frame["income"]
        return frame

    @feature_set(after=v1)
    class town_means:
        def fit_transform(self, frame, y):
            self.means, self.mean = y.groupby(frame["town"]).mean(), y.mean()
            return self.transform(frame)

        def transform(self, frame):
            frame["town_mean"] = frame["town"].map(self.means).fillna(self.mean)
            return frame
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast, overload

from workbench import registry
from workbench.errors import FactoryError
from workbench.types import FeaturesRef

Scope = Literal["row", "fold"]
Maker = TypeVar("Maker", bound=Callable[..., Any])
_MARK = "__workbench_feature_set__"


@dataclass(frozen=True)
class FeatureStep:
    """One feature set of a chain."""

    name: str
    scope: Scope
    made: Callable[..., Any]
    """``row``: a function of the table. ``fold``: a class, or a function that returns a transformer."""
    after: FeatureStep | None = None
    """The set that this one goes on from."""

    @property
    def chain(self) -> tuple[FeatureStep, ...]:
        """The sets from the first one to this one."""
        return (*(self.after.chain if self.after else ()), self)


@overload
def feature_set(made: Maker) -> Maker: ...
@overload
def feature_set(*, scope: Scope | None = None, after: Callable[..., Any] | None = None) -> Callable[[Maker], Maker]: ...
def feature_set(
    made: Callable[..., Any] | None = None, *, scope: Scope | None = None, after: Callable[..., Any] | None = None
) -> Any:
    """Mark a function or a class as a feature set, and return it as it is.

    A function gets the table and returns the new one: the same rows in the same order, each a function of that row
    alone (scope ``row``). A class is a transformer that is fitted in the fold (scope ``fold``): ``fit_transform(frame,
    y)`` on the training rows, ``transform(frame)`` on all others; scikit-learn's ``fit(frame, y)`` and ``transform``
    will do. With ``scope="fold"`` a function may return such a transformer.

    The table holds every column of the training table but target, weight and fold column, also those that models
    ignore, such as names and free text: numbers as float64, text as ``object`` with ``None`` for gaps, dates as
    ``datetime64[us]``, booleans as pandas' ``boolean``. ``y`` is a Series on the table's index: the target's values, or
    for classes their codes from 0 on (of a binary task 1 is the positive class). Infinite numbers that a set makes, as
    by dividing by 0, are taken as missing, in training and in prediction alike.

    Args:
        made: the function or class, where the decorator has no arguments.
        scope: ``row`` for functions and ``fold`` for classes, unless given.
        after: the feature set that this one goes on from.

    Raises:
        FactoryError: ``after`` is no feature set, or a class is said to be of scope ``row``.
    """
    if made is None:
        return lambda later: _marked(later, scope, after)
    return _marked(made, scope, after)


def _marked(made: Callable[..., Any], scope: Scope | None, after: Callable[..., Any] | None) -> Callable[..., Any]:
    name = getattr(made, "__name__", repr(made))
    if scope not in (None, "row", "fold"):
        raise FactoryError(f"feature set '{name}': scope is {scope!r}, expected 'row' or 'fold'")
    if inspect.isclass(made) and scope == "row":
        raise FactoryError(f"feature set '{name}' is a class, whose scope is 'fold'; one of scope 'row' is a function")
    previous = None if after is None else step_of(after)
    if after is not None and previous is None:
        other = getattr(after, "__name__", repr(after))
        raise FactoryError(f"feature set '{name}': after={other} is no feature set; put @feature_set before it")
    found = scope or ("fold" if inspect.isclass(made) else "row")
    setattr(made, _MARK, FeatureStep(name, found, made, previous))
    return made


def step_of(made: object) -> FeatureStep | None:
    """Return what `feature_set` noted of a function or class; ``None`` for others, subclasses of marked ones too."""
    return cast("FeatureStep | None", getattr(made, "__dict__", {}).get(_MARK))


def load_steps(ref: FeaturesRef) -> tuple[FeatureStep, ...]:
    """Import a feature set and return its chain, first to last.

    Raises:
        FactoryError: the module cannot be imported, or what the reference names is no feature set.
    """
    made = registry.load(ref.reference, ref.root)
    step = step_of(made)
    if step is None:
        module, _, name = ref.reference.partition(":")
        raise FactoryError(f"{module}.py: '{name}' is no feature set; put @feature_set (from workbench) before it")
    return step.chain
