"""Predict a file of raw rows with an exported model.

Run as ``python -m workbench.delivery.predict MODEL rows.csv -o out.csv``. MODEL is a local model folder, or an MLflow
URI such as ``models:/name@champion`` or ``runs:/<run id>/model``, looked up in MLFLOW_TRACKING_URI.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.data.readers import read_table
from workbench.delivery.export import QUIET
from workbench.delivery.files import write_text
from workbench.delivery.own_code import forget_installed, translated
from workbench.errors import ConfigError, DataError, StoreError, WorkbenchError, nearest

if TYPE_CHECKING:
    import pandas as pd

SCHEMES = ("models:/", "runs:/", "file:", "s3://", "gs://", "mlflow-artifacts:/", "http://", "https://")


def predict_file(
    model: str,
    rows: Path,
    out: Path,
    *,
    tracking_uri: str | None = None,
    own_code: bool = False,
    encoding: str = "utf-8",
) -> Path:
    """Write what the model predicts for the raw rows of a table as CSV, in the submission's columns.

    Args:
        model: A local model folder or an MLflow model URI.
        rows: ``.csv``, ``.csv.gz``, ``.tsv`` or ``.parquet``; gaps, further columns and another order do no harm.
        out: The CSV file to write.
        tracking_uri: Where MLflow looks for ``models:/`` and ``runs:/``; MLFLOW_TRACKING_URI if ``None``.
        own_code: Run the model on the code that it was exported with, instead of this process's `workbench`. For a
            process that does nothing else.
        encoding: Of a text table.

    Raises:
        ConfigError: There is no such model.
        DataError: The rows cannot be read, or lack a column.
        StoreError: The model cannot be loaded, or the tracking server does not answer.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    address = _address(model)
    if not rows.is_file():
        read_table(rows, encoding=encoding)  # says what is wrong before a model is loaded
    if own_code:
        forget_installed()
    with translated():
        loaded = _load(address, tracking_uri)
    table = read_table(rows, text=_id_columns(loaded), encoding=encoding).rename(columns=str)
    with translated():
        predicted = _predict(loaded, table, rows)
    return write_text(out, predicted.to_csv(index=False, lineterminator="\n"))


def _address(model: str) -> str:
    if model.startswith(SCHEMES):
        return model
    folder = Path(model)
    if not (folder / "MLmodel").is_file():
        raise ConfigError(
            f"no model at '{model}': expected an MLflow model's folder (it holds a file MLmodel) or an address such as "
            "models:/name@champion or runs:/<run id>/model"
        )
    return str(folder)


def _load(address: str, tracking_uri: str | None) -> Any:
    import mlflow
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    if tracking_uri is not None:
        mlflow.set_tracking_uri(tracking_uri)
    try:
        return mlflow.pyfunc.load_model(address)
    except MlflowException as error:
        missing = error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
        kind = ConfigError if missing else StoreError
        raise kind(f"model '{address}' cannot be loaded from {mlflow.get_tracking_uri()}: {error}") from error


def _id_columns(loaded: Any) -> tuple[str, ...]:
    """Return inputs that are read as text, so that an identifier such as ``0012`` stays as it is."""
    inputs = loaded.metadata.get_input_schema()
    columns = (loaded.metadata.metadata or {}).get("columns", {})
    return tuple(name for name in (inputs.input_names() if inputs is not None else ()) if name not in columns)


def _predict(loaded: Any, table: pd.DataFrame, rows: Path) -> pd.DataFrame:
    from mlflow.exceptions import MlflowException

    inputs = loaded.metadata.get_input_schema()
    names = set(inputs.input_names()) if inputs is not None else set(table.columns)
    lacking = [name for name in inputs.required_input_names() if name not in table] if inputs is not None else []
    if lacking:
        listed = ", ".join(f"'{name}'" for name in lacking)
        raise DataError(
            f"{rows} lacks columns of the training table: {listed}.{nearest(lacking[0], map(str, table.columns))}"
        )
    try:
        predicted: pd.DataFrame = loaded.predict(table[[name for name in table.columns if name in names]])
    except MlflowException as error:
        raise DataError(f"{rows} cannot be predicted: {error}") from error
    return predicted


def main(arguments: Sequence[str]) -> int:
    """Predict what the arguments say; return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m workbench.delivery.predict", description=__doc__)
    parser.add_argument("model", help="a model's folder or an MLflow model URI")
    parser.add_argument("rows", type=Path, help="table of raw rows")
    parser.add_argument("-o", "--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--tracking-uri", help="where MLflow looks for models:/ and runs:/")
    given = parser.parse_args(arguments)
    try:
        predict_file(given.model, given.rows, given.out, tracking_uri=given.tracking_uri, own_code=True)
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
