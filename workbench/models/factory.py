"""Calling a user's factory, however it is written."""

from __future__ import annotations

import contextlib
import inspect
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import FactoryError, WorkbenchError
from workbench.models.hyperparameters import HyperParameters
from workbench.models.trial_style import TrialStyle

if TYPE_CHECKING:
    from workbench.models.problem import Problem

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OWN_FOLDER = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple({Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")})


def call_factory(build: Callable[..., Any] | type[Any] | Any, hp: HyperParameters, problem: Problem) -> object:
    """Call a factory and return what it built.

    These are factories: ``build(hp, problem)``; ``build(hp)``, as KerasTuner calls it; the same with ``trial`` as the
    first parameter, which then has Optuna's methods; an object with a ``build`` method, or a class of such objects,
    such as a KerasTuner ``HyperModel``. ``problem`` is passed where a second parameter is required or has that name.

    Raises:
        FactoryError: it cannot be called so, it raised (the message shows the user's lines), or it returned ``None``.
        MemoryError: the host ran out of memory. A device's own error, which says RESOURCE_EXHAUSTED, passes too.
    """
    name = name_of(build)
    try:
        target = _target(made(build))
        positional, named = _arguments(target, name, hp, problem)
        alone = len(positional) + len(named) == 1
        with hp.like_keras_tuner() if alone and positional[0] is hp else contextlib.nullcontext():
            built: object = target(*positional, **named)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise as_factory_error(name, error) from error
    if built is None:
        raise FactoryError(f"factory '{name}' returned None; expected a compiled model, an estimator or a Recipe")
    return built


def name_of(build: Any) -> str:
    """Return how messages call a factory."""
    return str(getattr(build, "__name__", type(build).__name__))


def made(build: Any) -> Any:
    """Return an object of a class with a ``build`` method; any other factory as it is.

    Raises:
        FactoryError: the class cannot be called without arguments, or raised.
    """
    if not (inspect.isclass(build) and callable(getattr(build, "build", None))):
        return build
    try:
        return build()
    except TypeError as error:
        name = name_of(build)
        raise FactoryError(
            f"factory '{name}': {error}. A class is called without arguments: write "
            f"'model = {name}(...)' into its file, and name 'model' as the factory"
        ) from error
    except Exception as error:
        raise as_factory_error(name_of(build), error) from error


def _target(build: Any) -> Callable[..., Any]:
    """Return what is to be called: the factory itself or its object's ``build`` method."""
    if not inspect.isroutine(build) and callable(getattr(build, "build", None)):
        method: Callable[..., Any] = build.build
        return method
    if not callable(build):
        raise FactoryError(
            f"factory '{name_of(build)}': expected a function build(hp, problem), or an object with a build method; "
            f"got {build!r} ({type(build).__name__})"
        )
    target: Callable[..., Any] = build
    return target


def _arguments(
    target: Callable[..., Any], name: str, hp: HyperParameters, problem: Problem
) -> tuple[list[Any], dict[str, Any]]:
    parameters = _parameters(target)
    slots = [p for p in parameters if p.kind in _POSITIONAL]
    required = [p for p in slots if p.default is inspect.Parameter.empty]
    if not slots or len(required) > 2:
        shown = ", ".join(str(p) for p in parameters)
        raise FactoryError(
            f"factory '{name}({shown})': expected build(hp, problem), build(hp), build(trial, problem) or build(trial)"
        )
    first = TrialStyle(hp) if slots[0].name == "trial" else hp
    if len(required) == 2 or (len(slots) > 1 and slots[1].name == "problem"):
        return [first, problem], {}
    wants = any(p.kind is inspect.Parameter.KEYWORD_ONLY and p.name == "problem" for p in parameters)
    return [first], {"problem": problem} if wants else {}


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters that a caller fills.

    A KerasTuner HyperModel hides its ``build`` behind one that takes anything: then the class's own is asked.
    """
    owner = getattr(target, "__self__", None)
    own = getattr(type(owner), "build", None) if owner is not None and not inspect.isclass(owner) else None
    if own is not None and target.__name__ != "build":
        return list(inspect.signature(own).parameters.values())[1:]
    return list(inspect.signature(target).parameters.values())


def out_of_memory(error: Exception) -> bool:
    """Say whether the host's or a device's memory is full, which is not the factory's fault."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def as_factory_error(name: str, error: Exception) -> WorkbenchError:
    """Return the error to show for a user's code: ours as it is where no line of the user's was reached."""
    if isinstance(error, WorkbenchError) and not isinstance(error, FactoryError):
        return error
    frames = _user_frames(error)
    if isinstance(error, FactoryError):
        return FactoryError(f"factory '{name}': {error}\n{frames}") if frames else error
    if not frames:
        frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[-3:]))
    return FactoryError(f"factory '{name}' raised {type(error).__name__}: {error}\n{frames}".rstrip())


def _user_frames(error: BaseException) -> str:
    """Return the traceback's frames that are neither ours nor a library's."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    return "".join(traceback.format_list(frames)).rstrip()


def _is_library(filename: str) -> bool:
    path = Path(filename)
    if not path.is_absolute():
        return filename.startswith("<frozen")
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in (_OWN_FOLDER, *_LIBRARIES))
