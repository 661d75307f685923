"""The exported model as MLflow runs it: this file is the ``python_model`` of a model from code.

MLflow puts the model's own ``code/`` folder first on the path and executes this file, so nothing is unpickled, and the
model predicts with the code that it was exported with, whether this package is installed or not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from workbench.delivery.frozen_blend import FrozenBlend

ARTIFACT = "blend"
"""Name of the artifact that is the frozen blend's folder."""


class BlendModel(PythonModel):
    """Raw rows in, the submission's columns out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the blend from the model's artifacts."""
        self.blend = FrozenBlend.open(Path(context.artifacts[ARTIFACT]))

    def predict(
        self,
        context: PythonModelContext | None,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return the layout's columns, a row for each row given; there are no params."""
        return self.blend.frame(model_input)


mlflow.models.set_model(BlendModel())
