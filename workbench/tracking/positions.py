"""The names under which the ledger keeps each projection's position."""

from __future__ import annotations

from workbench.types import fingerprint

TENSORBOARD = "tensorboard"


def mlflow_name(uri: str) -> str:
    """Return the name of what is logged to ``uri``: another URI is filled from event 0."""
    return f"mlflow:{fingerprint(uri)}"


def projection_names(uri: str, *, tensorboard: bool) -> tuple[str, ...]:
    """Return the names of the projections that a projector keeps."""
    return (mlflow_name(uri), TENSORBOARD) if tensorboard else (mlflow_name(uri),)
