"""A runner whose scores are a formula: of the values, of the feature set's name, and of the seed for noisy families."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from workbench.errors import FactoryError
from workbench.seeds import derive_seed
from workbench.types import Condition, Description, Job, Parameter, Reported, Space, TrialResult

SPLITS = 5
SPACE = Space(
    parameters=(
        Parameter(name="lr", kind="float", low=0.01, high=0.3, log=True, default=0.05),
        Parameter(name="depth", kind="int", low=1, high=8, default=4),
        Parameter(name="norm", kind="choice", choices=("none", "layer"), default="none"),
        Parameter(
            name="scale",
            kind="boolean",
            default=False,
            choices=(False, True),
            conditions=(Condition(parameter="norm", values=("layer",)),),
        ),
    )
)


def run(job: Job, report: Callable[[Reported], bool]) -> Description | TrialResult:  # noqa: ARG001
    """Answer a job: rmse 1 plus what the idea brings, with noise by split, and noise by seed of xgboost."""
    if job.kind == "describe":
        return Description(space=job.space or SPACE)
    with (job.dataset.parent / "executions.log").open("a") as log:
        log.write(json.dumps({"family": job.family.name, "values": job.values, "seed": job.seed}) + "\n")
    depth = next(parameter for parameter in (job.space or SPACE).parameters if parameter.name == "depth")
    if job.values["depth"] > (depth.high or 0):
        raise FactoryError("depth is out of the factory's range")
    if job.values["depth"] == 8:
        raise FactoryError("factories.py: ValueError: too deep")
    gain = -0.2 if job.values["lr"] == 0.1 else 0.0
    table = np.random.default_rng(derive_seed("splits")).normal(scale=0.05, size=SPLITS)
    own = np.random.default_rng(derive_seed(job.family.code, json.dumps(job.values, sort_keys=True)))
    scores = 1.0 + gain + table + own.normal(scale=0.02, size=SPLITS)
    if "xgboost" in job.family.name:
        scores = scores + np.random.default_rng(job.seed).normal(scale=0.3)
    return TrialResult(
        score=float(scores.mean()),
        score_se=float(scores.std(ddof=1) / SPLITS**0.5),
        scores=tuple(scores.tolist()),
        values=job.values,
        fit_key=job.fit_key,
    )
