"""What MLflow made of a delivery, written beside the exported model for those who do not import MLflow."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from workbench.types import Value

FILE = "mlflow.json"


class Receipt(Value):
    """Where a sweep is found in MLflow."""

    tracking_uri: str
    sweep_run_id: str
    blend_run_id: str | None
    model: str
    """Name in the model registry."""
    decision: str
    """What was decided about the alias ``champion``, and why."""


def write_receipt(model: Path, receipt: Receipt) -> None:
    """Write the receipt of an exported model's folder; not where that folder is gone."""
    if model.is_dir():
        (model.parent / FILE).write_text(receipt.model_dump_json(indent=1) + "\n", "utf-8")


def read_receipt(model: Path) -> Receipt | None:
    """Return the receipt of an exported model's folder; ``None`` while MLflow has not seen the model."""
    try:
        return Receipt.model_validate_json((model.parent / FILE).read_text("utf-8"))
    except (OSError, ValidationError):
        return None
