"""A runner whose scores are noise of the plan and the values: whoever is best is so by chance."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from workbench.seeds import derive_seed
from workbench.types import Description, Job, Parameter, Reported, Space, TrialResult

SPACE = Space(parameters=(Parameter(name="x", kind="float", low=0.0, high=1.0, default=0.5),))
HARDER = 1.0
"""So much worse is everything on a plan that is not the first."""


def run(job: Job, report: Callable[[Reported], bool]) -> Description | TrialResult:  # noqa: ARG001
    """Answer a job."""
    if job.kind == "describe":
        return Description(space=SPACE)
    first = job.plan.parent / "first.json"
    if not first.exists():
        first.write_text(json.dumps(job.plan.name))
    with (job.plan.parent / "executions.log").open("a") as log:
        log.write(job.family.name + "\n")
    harder = HARDER * (json.loads(first.read_text()) != job.plan.name)
    noise = np.random.default_rng(derive_seed(job.plan.name, json.dumps(job.values))).normal()
    score = 10.0 + harder + noise
    return TrialResult(score=score, score_se=0.1, scores=(score,) * 5, values=job.values, fit_key=job.fit_key)
