"""Export and prediction in processes of their own, so that the caller imports neither MLflow nor Keras."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workbench.delivery.export import ExportSpec
from workbench.errors import NothingToDeliver, StoreError, UserError, WorkbenchError

ERRORS: dict[int, type[WorkbenchError]] = {2: UserError, 3: NothingToDeliver, 4: StoreError}
"""Errors by the exit code of the process."""


def export_in_process(spec: ExportSpec) -> Path:
    """Write the model that ``spec`` describes, and return its folder.

    Raises:
        UserError, StoreError, NothingToDeliver: What `workbench.delivery.export.export_blend` raises.
        WorkbenchError: An error of ours, with its traceback.
    """
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "spec.json"
        file.write_text(spec.model_dump_json(), "utf-8")
        _run("workbench.delivery.export", [str(file)])
    return spec.folder


def predict_in_process(model: str, rows: Path, out: Path, *, tracking_uri: str | None = None) -> Path:
    """Do `workbench.delivery.predict.predict_file` in a process of its own.

    Raises:
        UserError, StoreError: What `predict_file` raises.
        WorkbenchError: An error of ours, with its traceback.
    """
    where = [] if tracking_uri is None else ["--tracking-uri", tracking_uri]
    _run("workbench.delivery.predict", [model, str(rows), "-o", str(out), *where])
    return out


def _run(module: str, arguments: Sequence[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stderr.strip()
    _, told, message = f"\n{said}".rpartition("\nerror: ")
    kind = ERRORS.get(done.returncode, WorkbenchError) if told else WorkbenchError
    raise kind(message if told else f"'python -m {module}' ended with code {done.returncode}:\n{said[-4000:]}")
