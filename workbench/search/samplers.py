"""The samplers of the engine ``optuna`` by name; each is made without importing the others."""

from __future__ import annotations

from workbench import registry
from workbench.errors import ConfigError, nearest
from workbench.search.engine import Engine, EngineOptions

SAMPLERS = {
    "auto": "workbench.search.optuna_engine:OptunaEngine",
    "tpe": "workbench.search.optuna_engine:OptunaEngine",
    "gp": "workbench.search.optuna_engine:OptunaEngine",
    "cmaes": "workbench.search.optuna_engine:OptunaEngine",
    "nsga2": "workbench.search.optuna_engine:OptunaEngine",
    "qmc": "workbench.search.quasi_random:QuasiRandomEngine",
    "random": "workbench.search.random_engine:RandomEngine",
    "grid": "workbench.search.grid_engine:GridEngine",
}
"""Those of Optuna's that keep nothing, and those for which a few lines of ours need no state at all."""

ONE_OBJECTIVE = ("gp", "cmaes")
"""These model a single objective."""


def make_engine(options: EngineOptions) -> Engine:
    """Return the engine of a sampler.

    Raises:
        ConfigError: there is no such sampler, it needs something that is not installed, or it has one objective only.
    """
    name = options.sampler
    if name not in SAMPLERS:
        raise ConfigError(
            f"search.sampler: no sampler is called '{name}'; there are {', '.join(SAMPLERS)}.{nearest(name, SAMPLERS)}"
        )
    count = len(options.directions)
    if count > 1 and name in ONE_OBJECTIVE:
        able = ", ".join(known for known in SAMPLERS if known not in (*ONE_OBJECTIVE, "auto"))
        told = f"search.sampler: '{name}' has one objective, and there are {count}; these take several: {able}"
        raise ConfigError(told)
    engine: Engine = registry.load(SAMPLERS[name], None)(options)
    return engine
