"""Write a blend as an MLflow model from code.

Run as ``python -m workbench.delivery.export SPEC.json``, in a process of its own: importing MLflow takes seconds and
does not belong into the driver. Keras is imported only if a table is to be predicted as well.

The model carries this package's source in ``code/`` (a few hundred kilobytes) beside the experiment's own modules. So
it loads where only the pinned requirements are installed, as an MLflow scoring server sets them up, and it predicts
with the code it was exported with after this package has changed. In a process that has already imported an installed
`workbench`, that one is used; `workbench predict` sees to it that the model's own is (see `own_code`).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

import workbench
from workbench.blending.result import BlendResult, MemberRef
from workbench.data.raw_columns import raw_schema
from workbench.data.readers import read_table
from workbench.delivery.frozen_blend import BlendFile, FrozenMember, bundle_about, write_folder_files
from workbench.delivery.layout import OutputLayout
from workbench.delivery.requirements import requirements
from workbench.delivery.signature import example_rows, signature
from workbench.errors import NothingToDeliver, StoreError, WorkbenchError
from workbench.store.vault import Vault
from workbench.tracking.environment import ENVIRONMENT
from workbench.types import FamilyRef, Schema, Value

QUIET = {
    **ENVIRONMENT,
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # it would copy the lock file of whatever project the folder belongs to
}
"""Environment of processes that write or load models, unless set otherwise."""


class ExportSpec(Value):
    """What ``python -m workbench.delivery.export`` is told."""

    folder: Path
    """Where the model goes; what is there is replaced."""
    experiment: str
    blend: BlendResult
    vault: Path
    table: Schema
    """The training table's schema."""
    splits: int
    columns: dict[str, Any] | None = None
    """How a stack's raw features are made (`workbench.data.raw_matrix`); ``None`` where it looks at none."""
    refitted: dict[str, int] = Field(default_factory=dict)
    """Members that were refitted on all rows: how many models each has, by its fit key."""
    layout: OutputLayout
    example: Path
    """A table of raw rows; the first few become the input example."""
    code_root: Path | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    rows: Path | None = None
    """A table to predict with the model as soon as it is there, in the same process: importing MLflow takes seconds."""
    encoding: str = "utf-8"
    """Encoding of both tables."""
    predictions: Path | None = None
    """CSV file for what it predicts for ``rows``."""


def export_blend(
    folder: Path,
    *,
    blend: BlendResult,
    experiment: str,
    vault_root: Path,
    schema: Schema,
    plan_splits: int,
    layout: OutputLayout,
    example: pd.DataFrame,
    code_root: Path | None = None,
    metadata: dict[str, str] | None = None,
    refitted: Mapping[str, int] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``folder`` as a complete MLflow pyfunc model, in one step, without pickle, and return it.

    Args:
        folder: Where the model goes; what is there is replaced.
        blend: Members and weights; those without weight are left out.
        experiment: The experiment's name.
        vault_root: The vault that holds the members' bundles.
        schema: The training table's schema.
        plan_splits: Splits of the fold plan: bundles of each member.
        layout: The columns that the model returns.
        example: Raw rows; the first few become the input example.
        code_root: The experiment's folder, for a user's families whose folder at training is gone.
        metadata: Further entries of the model's metadata, such as keys of data and plan.
        columns: How a stack's raw features are made of a conformed table, where it looks at some.
        refitted: How many bundles a member has that was refitted on all rows, by its fit key.

    Raises:
        StoreError: A member's bundle is absent or damaged, or the folder cannot be written.
        NothingToDeliver: No member has weight.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        staged, model = Path(temporary) / "blend", Path(temporary) / "model"
        about = stage_blend(staged, blend, experiment, Vault(vault_root), plan_splits, code_root, refitted or {})
        about = about.model_copy(update={"columns": None if columns is None else dict(columns)})
        write_folder_files(staged, about, schema, layout)
        inputs = schema if all(member.features is None for member in about.members) else raw_schema(schema)
        columns = {c.name: c.kind for c in inputs.features if c.name != layout.id_source}
        _save(
            model,
            staged,
            _requirements(staged, about),
            inputs,
            layout,
            example_rows(example, inputs, layout),
            {"experiment": experiment, "columns": columns, **(metadata or {})},
        )
        try:
            if folder.exists():
                folder.rename(Path(temporary) / "replaced")
            model.rename(folder)
        except OSError as error:
            raise StoreError(f"the model {folder} cannot be written: {error}") from error
    return folder


def stage_blend(
    staged: Path,
    blend: BlendResult,
    experiment: str,
    vault: Vault,
    splits: int,
    code_root: Path | None,
    refitted: Mapping[str, int],
) -> BlendFile:
    """Copy the members' bundles and code into a new folder, and return what they are; see `export_blend`.

    Raises:
        StoreError: A member's bundle is absent or damaged.
        NothingToDeliver: No member has weight.
    """
    places = [place for place, ref in enumerate(blend.members) if ref.weight > 0]
    members = [blend.members[place] for place in places]
    if not members:
        raise NothingToDeliver(f"the blend of '{experiment}' has no member with weight")
    staged.mkdir()
    roots: dict[Path, str] = {}
    frozen = [
        _copy_member(staged, ref, vault, refitted.get(ref.fit_key, splits), roots, code_root).model_copy(
            update={"refitted": ref.fit_key in refitted}
        )
        for ref in members
    ]
    return BlendFile(
        experiment=experiment,
        method=blend.method,
        in_sample=blend.in_sample,
        nested=blend.nested,
        nested_se=blend.nested_se,
        members=tuple(frozen),
        fitted=blend.blend.take(places),
        backend=_backend(staged, frozen),
    )


def _copy_member(
    staged: Path, ref: MemberRef, vault: Vault, splits: int, roots: dict[Path, str], code_root: Path | None
) -> FrozenMember:
    # A '#' would be cut off an artifact's URL, and a '+' may be read as a space.
    target = Path("members") / ref.trial.replace("#", "-").replace("+", "-on-")
    code = features = None
    for split in range(splits):
        bundle = vault.folder(ref.fit_key) / f"split{split}"
        if not (bundle / "bundle.json").is_file():
            raise StoreError(f"{ref.trial} cannot be exported: its bundle {bundle} is not there; fit this trial again")
        shutil.copytree(bundle, staged / target / bundle.name)
        code, features = _take_code(staged, staged / target / bundle.name, roots, code_root)
    return FrozenMember(trial=ref, folder=target.as_posix(), splits=splits, code=code, features=features)


def _take_code(
    staged: Path, bundle: Path, roots: dict[Path, str], code_root: Path | None
) -> tuple[str | None, str | None]:
    """Copy the modules that a user's factory and feature set need; return the folder of each, ``None`` without one."""
    about = bundle_about(bundle)
    family = FamilyRef.model_validate(about["family"])
    used = {"root": (family.factory, family.root)}
    if family.features is not None:
        used["features"] = (family.features.reference, family.features.root)
    found = {
        part: _copy_modules(staged, reference, root if root.is_dir() or code_root is None else code_root, roots)
        for part, (reference, root) in used.items()
        if root is not None
    }
    # Where it lay in training is nobody's business, and `load_predictor` is told.
    if "root" in found:
        about["family"]["root"] = found["root"]
    if "features" in found:
        about["family"]["features"]["root"] = found["features"]
    (bundle / "bundle.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    return found.get("root"), found.get("features")


def _copy_modules(staged: Path, reference: str, root: Path, roots: dict[Path, str]) -> str:
    """Copy a module of a user's and what it imports, and return their folder."""
    from workbench.models.identity import copy_reached_files

    code = roots.setdefault(root.resolve(), f"code/{len(roots)}")
    copy_reached_files(reference, root, staged / code)
    return code


def _backend(staged: Path, members: Sequence[FrozenMember]) -> str | None:
    """Return the Keras backend of the heaviest member that has one; stored weights fit any."""
    abouts = [bundle_about(staged / member.folder / "split0") for member in members]
    return next((str(about["backend"]) for about in abouts if about["kind"] == "keras"), None)


def _requirements(staged: Path, about: BlendFile) -> list[str]:
    kinds = [bundle_about(staged / member.folder / "split0")["kind"] for member in about.members]
    kinds += [file.suffix.removeprefix(".") for file in (staged / "members").rglob("*.skops")]
    return requirements(kinds, about.backend, sorted((staged / "code").rglob("*.py")))


def _save(
    model: Path,
    staged: Path,
    pins: Sequence[str],
    schema: Schema,
    layout: OutputLayout,
    example: pd.DataFrame,
    metadata: dict[str, Any],
) -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow.pyfunc

    from workbench.delivery.pyfunc_model import ARTIFACT

    package = Path(workbench.__file__).parent
    mlflow.pyfunc.save_model(
        path=str(model),
        python_model=str(package / "delivery" / "pyfunc_model.py"),
        code_paths=[str(package)],
        artifacts={ARTIFACT: str(staged)},
        signature=signature(schema, layout),
        input_example=example,
        pip_requirements=list(pins),
        metadata=metadata,
    )
    _forget_paths(model)


def _forget_paths(model: Path) -> None:
    """Remove the exporting machine's paths from ``MLmodel``; MLflow finds both files by their place in the model."""
    from mlflow.models import Model

    described = Model.load(str(model))
    flavor = described.flavors["python_function"]
    flavor["model_code_path"] = Path(flavor["model_code_path"]).name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    described.save(str(model / "MLmodel"))


def main(arguments: Sequence[str]) -> int:
    """Export what the specification file says; return an exit code."""
    if len(arguments) != 1:
        print("usage: python -m workbench.delivery.export SPEC.json", file=sys.stderr)
        return 2
    try:
        spec = ExportSpec.model_validate_json(Path(arguments[0]).read_text("utf-8"))
        text = () if spec.layout.id_source is None else (spec.layout.id_source,)
        export_blend(
            spec.folder,
            blend=spec.blend,
            experiment=spec.experiment,
            vault_root=spec.vault,
            schema=spec.table,
            plan_splits=spec.splits,
            layout=spec.layout,
            example=read_table(spec.example, text=text, encoding=spec.encoding),
            code_root=spec.code_root,
            metadata=spec.metadata,
            refitted=spec.refitted,
            columns=spec.columns,
        )
        if spec.rows is not None and spec.predictions is not None:
            from workbench.delivery.predict import predict_file

            predict_file(str(spec.folder), spec.rows, spec.predictions, encoding=spec.encoding)
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
