"""Finds what is made of a blend's prediction in the end."""

from __future__ import annotations

from workbench.blending.decision import Decision
from workbench.ensembles.members import Members
from workbench.metrics import Array


def fit_decision(members: Members, prediction: Array) -> Decision | None:
    """Return the decision that the metric asks for, fitted on predictions ``(rows, outputs)``."""
    return None
