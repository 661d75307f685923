"""What a feature set's transformer has learnt, in files without pickle: JSON, npy, Parquet, and skops for estimators.

The transformer's class is imported from the user's file again, and its attributes are set; so what is stored are the
attributes (``vars()``), as a tree of numbers, text, lists, mappings, arrays, tables and scikit-learn estimators.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from workbench.data.feature_steps import new_transformer
from workbench.data.features import FeatureStep
from workbench.errors import FactoryError, StoreError
from workbench.training.estimator_path import TRUSTED

_LISTS: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_EXPECTED = "numbers, text, lists, mappings, arrays, pandas objects and scikit-learn estimators"


def freeze(transformer: Any, step: FeatureStep, folder: Path, position: int) -> Any:
    """Write what does not fit into JSON into an existing folder; return the rest as JSON types.

    Args:
        transformer: what was fitted.
        step: the step that it was fitted for.
        folder: where files are written.
        position: the step's place in its chain; files are named by it, as steps may share a name.

    Raises:
        FactoryError: an attribute is of a kind that cannot be stored; the message names it.
    """
    writer = _Writer(folder, step, position)
    if _is_library_estimator(transformer):
        return writer.frozen(transformer, "")
    if any(getattr(kind, "__slots__", ()) for kind in type(transformer).__mro__) or not hasattr(
        transformer, "__dict__"
    ):
        raise FactoryError(
            f"feature set '{step.name}': {type(transformer).__name__} has __slots__, whose attributes a bundle cannot "
            "hold; leave __slots__ out"
        )
    return {"attributes": {name: writer.frozen(value, name) for name, value in vars(transformer).items()}}


def thaw(state: Any, step: FeatureStep, folder: Path) -> Any:
    """Return the transformer of which `freeze` wrote the state.

    Raises:
        StoreError: a file is absent or damaged.
    """
    reader = _Reader(folder)
    try:
        if "attributes" not in state:
            return reader.thawed(state)
        made = step.made.__new__(step.made) if inspect.isclass(step.made) else new_transformer(step)
        vars(made).clear()
        vars(made).update({name: reader.thawed(value) for name, value in state["attributes"].items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder}: the state of feature set '{step.name}' cannot be read: {error}") from error
    return made


def _is_library_estimator(value: Any) -> bool:
    return isinstance(value, BaseEstimator) and type(value).__module__.partition(".")[0] in TRUSTED


class _Writer:
    def __init__(self, folder: Path, step: FeatureStep, position: int) -> None:
        self._folder, self._step, self._position = folder, step, position
        self._files = 0

    def frozen(self, value: Any, path: str) -> Any:
        """Return a value as JSON types: plain ones as they are, others as a mapping from kind to content."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value).__name__ in _LISTS and type(value).__module__ == "builtins":
            items = [self.frozen(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return {type(value).__name__: items}
        if type(value) is dict:
            return {"dict": [[self.frozen(k, path), self.frozen(v, f"{path}[{k!r}]")] for k, v in value.items()]}
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        if isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
            return self._pandas(value, path)
        if isinstance(value, pd.Timestamp):
            return {"timestamp": value.isoformat()}
        if _is_library_estimator(value):
            return self._estimator(value, path)
        raise FactoryError(
            f"{self._attribute(path)} is of {type(value).__name__}, which a bundle cannot hold; expected {_EXPECTED}"
        )

    def _attribute(self, path: str) -> str:
        return f"feature set '{self._step.name}': {f'attribute {path}' if path else 'the transformer'}"

    def _file(self, suffix: str) -> Path:
        self._files += 1
        return self._folder / f"step{self._position}-{self._files}.{suffix}"

    def _scalar(self, value: np.generic, path: str) -> Any:
        """Write a NumPy scalar beside its type; dates and durations as their counts of units."""
        if value.dtype.kind in "mM":
            return {"scalar": int(value.astype(np.int64)), "dtype": value.dtype.str}
        if value.dtype.kind in "biufU" and value.dtype != np.longdouble:
            return {"scalar": value.item(), "dtype": value.dtype.str}
        return {"scalar": self._array(np.asarray(value), path)}

    def _array(self, value: np.ndarray[Any, Any], path: str) -> Any:
        if value.dtype == object:
            items = [self.frozen(item, f"{path}[{index}]") for index, item in enumerate(value.ravel().tolist())]
            return {"objects": items, "shape": list(value.shape)}
        file = self._file("npy")
        try:
            np.save(file, value, allow_pickle=False)
        except ValueError as error:
            raise FactoryError(f"{self._attribute(path)} cannot be written as npy: {error}") from error
        return {"array": file.name}

    def _pandas(self, value: pd.DataFrame | pd.Series[Any] | pd.Index[Any], path: str) -> Any:
        """Write index levels and columns side by side, under numbers: Parquet has neither indexes nor other names."""
        kind = "frame" if isinstance(value, pd.DataFrame) else "series" if isinstance(value, pd.Series) else "index"
        index = value if isinstance(value, pd.Index) else value.index
        table = index.to_frame(index=False)
        levels, names = table.shape[1], list(index.names)
        if isinstance(value, (pd.DataFrame, pd.Series)):
            columns = value.to_frame() if isinstance(value, pd.Series) else value
            table = pd.concat([table, columns.reset_index(drop=True)], axis=1)
            names += [value.name] if isinstance(value, pd.Series) else []
        dtypes = [str(table.iloc[:, i].dtype) for i in range(table.shape[1])]
        table.columns = pd.Index([str(i) for i in range(table.shape[1])])
        file = self._file("parquet")
        try:
            table.to_parquet(file, engine="pyarrow", index=False)
        except (ValueError, TypeError, NotImplementedError, OSError) as error:
            cells = ", ".join(dict.fromkeys(dtypes))
            raise FactoryError(
                f"{self._attribute(path)} ({cells}) cannot be written as Parquet: {error}; keep numbers, text or "
                "dates, such as the edges of intervals"
            ) from error
        about = {kind: file.name, "levels": levels, "names": self.frozen(names, path), "dtypes": dtypes}
        return {**about, "columns": self._pandas(value.columns, path)} if isinstance(value, pd.DataFrame) else about

    def _estimator(self, value: Any, path: str) -> Any:
        import skops.io

        file = self._file("skops")
        try:
            skops.io.dump(value, file)
            foreign = [name for name in skops.io.get_untrusted_types(file=file) if not _trusted(name)]
        except Exception as error:
            raise FactoryError(f"{self._attribute(path)} cannot be stored: {error}") from error
        if foreign:
            raise FactoryError(f"{self._attribute(path)} holds a {foreign[0]}, which a bundle cannot hold")
        return {"estimator": file.name}


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def thawed(self, state: Any) -> Any:
        """Return the value of which `_Writer.frozen` gave the state."""
        if not isinstance(state, dict):
            return state
        kind, content = next(iter(state.items()))
        if kind in _LISTS:
            return _LISTS[kind](self.thawed(item) for item in content)
        readers: dict[str, Callable[[], Any]] = {
            "dict": lambda: {self.thawed(key): self.thawed(value) for key, value in content},
            "array": lambda: np.load(self._folder / content, allow_pickle=False),
            "scalar": lambda: self._scalar(content, state.get("dtype")),
            "objects": lambda: self._objects(content, state["shape"]),
            "timestamp": lambda: pd.Timestamp(content),
            "estimator": lambda: self._estimator(content),
            **dict.fromkeys(("frame", "series", "index"), lambda: self._pandas(kind, state)),
        }
        return readers[kind]()

    def _scalar(self, content: Any, dtype: str | None) -> Any:
        if dtype is None:
            return self.thawed(content)[()]
        return np.array([content]).astype(np.dtype(dtype))[0]

    def _objects(self, items: list[Any], shape: list[int]) -> Any:
        array = np.empty(len(items), dtype=object)
        array[:] = [self.thawed(item) for item in items]
        return array.reshape(shape)

    def _pandas(self, kind: str, state: dict[str, Any]) -> Any:
        table = pd.read_parquet(self._folder / state[kind], engine="pyarrow")
        columns = [_restored(table.iloc[:, i], dtype) for i, dtype in enumerate(state["dtypes"])]
        names, levels = self.thawed(state["names"]), state["levels"]
        arrays = columns[:levels]
        index = pd.MultiIndex.from_arrays(arrays, names=names[:levels]) if levels > 1 else pd.Index(arrays[0])
        index = index if levels > 1 else index.rename(names[0])
        if kind == "index":
            return index
        if kind == "series":
            return columns[levels].set_axis(index).rename(names[levels])
        data = pd.concat(columns[levels:], axis=1) if columns[levels:] else pd.DataFrame(index=range(len(index)))
        return data.set_axis(self.thawed(state["columns"]), axis=1).set_axis(index, axis=0)

    def _estimator(self, name: str) -> Any:
        import skops.io

        file = self._folder / name
        types = skops.io.get_untrusted_types(file=file)
        foreign = [found for found in types if not _trusted(found)]
        if foreign:
            raise ValueError(f"{name} holds types that are not trusted: {', '.join(foreign)}")
        return skops.io.load(file, trusted=types)


def _restored(column: pd.Series[Any], dtype: str) -> pd.Series[Any]:
    """Give a column the type that it had: Parquet brings text back as pandas' own, whose gaps are NaN."""
    if dtype != "object":
        return column if str(column.dtype) == dtype else column.astype(pd.api.types.pandas_dtype(dtype))
    values = column.astype(object)
    return values.where(column.notna(), None)


def _trusted(name: str) -> bool:
    return name.partition(".")[0] in TRUSTED
