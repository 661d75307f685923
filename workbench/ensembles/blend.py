"""From members to a blend with its scores by name."""

from __future__ import annotations

import numpy as np

from workbench import registry
from workbench.ensembles.members import Blender, Candidate, Members
from workbench.ensembles.nested import nested_score
from workbench.types import BlendResult, MemberRef


def blend(members: Members, method: str = "nelder_mead", *, starts: int = 4, seed: int = 0) -> BlendResult:
    """Fit the ensemble method that is registered as ``method`` and score it in-sample and nested.

    The result's members are those with a weight, heaviest first; their weights sum to 1.

    Raises:
        ConfigError: No method has this name.
    """
    blender: Blender = registry.resolve("ensembles", method)(starts=starts, seed=seed)
    weights = blender.fit(members)
    nested, nested_se = nested_score(blender, members)
    order = sorted(np.flatnonzero(weights > 0), key=lambda i: (-weights[i], members.refs[i].trial))
    singles = members.metric.loss(1.0) * members.singles()
    return BlendResult(
        method=method,
        members=tuple(_weighted(members.refs[i], float(weights[i])) for i in order),
        in_sample=members.score(members.blend(weights)),
        nested=nested,
        nested_se=nested_se,
        best_single=members.metric.loss(float(np.nanmin(singles))) if np.isfinite(singles).any() else float("nan"),
    )


def _weighted(ref: Candidate, weight: float) -> MemberRef:
    return MemberRef(
        family=ref.family,
        number=ref.number,
        fit_key=ref.fit_key,
        weight=weight,
        score=ref.score,
        score_se=ref.score_se,
        values=ref.values,
    )
