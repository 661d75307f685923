"""Names and values as MLflow accepts them, and the names that families share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from workbench.types import Scalar, jsonable

SHARED = {
    "lr": "lr",
    "learning_rate": "lr",
    "batch_size": "batch_size",
    "depth": "depth",
    "width": "width",
    "dropout": "dropout",
    "l2": "l2",
    "reg_lambda": "l2",
}
"""Hyperparameters that mean the same in every family. A tree's ``max_depth`` is not a network's ``depth``, and
decoupled weight decay is not an L2 penalty: they keep their family's name."""

MAX_NAME = 250
MAX_VALUE = 5000
"""Below MLflow's limits: 6000 characters of a param, 8000 of a tag."""


def metric_name(name: str) -> str:
    """Return a name that MLflow accepts: letters, digits and ``_-. :/`` are kept; ``map@k`` becomes ``map_at_k``."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)[:MAX_NAME]


def param_names(family: str, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values under their shared names, or under ``family.name``.

    Seeds, feature sets and authors have no names of their own: those of ``lightgbm+v2~seed1`` are lightgbm's.
    """
    family = without_features(family).partition("~")[0]
    named: dict[str, Scalar] = {}
    for name in sorted(values, key=lambda name: SHARED.get(name) != name):
        shared = SHARED.get(name)
        own = metric_name(f"{family}.{name}")
        named[own if shared is None or shared in named else shared] = values[name]
    return dict(sorted(named.items()))


def without_features(family: str) -> str:
    """Return a family's name without feature set and author: ``lightgbm`` of ``lightgbm+v2`` or ``lightgbm@alice``."""
    return re.sub(r"[+@][^~]*", "", family)


def flat(mapping: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return a nested mapping with dotted keys; what is not set is left out, lists become JSON."""
    found: dict[str, str] = {}
    for key, value in mapping.items():
        name = metric_name(f"{prefix}{key}")
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}.")
        elif value is not None:
            plain = jsonable(value)
            found[name] = plain if isinstance(plain, str) else json.dumps(plain)
    return found


def clip(value: object) -> str:
    """Return a value as text that is not too long for MLflow."""
    text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
