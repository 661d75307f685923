"""Do a pack and an experiment stand on the same data, folds and metric? Where not, scores and rows do not compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.errors import DataError
from workbench.exchange.manifest import Manifest
from workbench.types import MetricRef
from workbench.workspace import Workspace


def check_ground(file: Path, manifest: Manifest, workspace: Workspace) -> None:
    """Raise `DataError` that names all that differs, what was expected, and what to do about it."""
    problems = list(_problems(manifest, workspace))
    if problems:
        lines = [
            f"{file} is of {manifest.author}'s '{manifest.experiment}', which does not stand on the same as yours:"
        ]
        raise DataError("\n".join([*lines, *(f"  {problem}" for problem in problems), "Nothing was merged."]))


def _problems(manifest: Manifest, workspace: Workspace) -> Iterator[str]:
    dataset, plan = workspace.dataset, workspace.plan
    same_data = manifest.data_key == dataset.key
    if not same_data:
        yield (
            f"training data: expected {dataset.key}, got {manifest.data_key}. Use the same training table (its rows in "
            "the same order) and the same data: and holdout: sections of experiment.yaml"
        )
    elif (manifest.outputs, manifest.classes) != (dataset.schema.outputs, dataset.schema.classes):
        shown = f"expected {dataset.schema.classes}, got {manifest.classes}"
        yield f"classes: {shown}. Use the same task: and data.positive"
    if manifest.plan_key != plan.key or manifest.splits != plan.splits:
        shown = f"expected {plan.key} ({plan.splits} splits), got {manifest.plan_key} ({manifest.splits} splits)"
        yield f"folds: {shown}. {_about_folds(manifest, workspace) if same_data else 'They follow from the data too'}"
    if said := _metric_problem(manifest.metric, workspace.ground.metric):
        yield said


def folds_section(workspace: Workspace) -> dict[str, int | str | None]:
    """Return the ``folds:`` section of an experiment, with the seed that its folds follow from."""
    config = workspace.experiment.config
    section: dict[str, int | str | None] = config.folds.model_dump(mode="json")
    return {**section, "seed": config.seed if config.folds.seed is None else config.folds.seed}


def _about_folds(manifest: Manifest, workspace: Workspace) -> str:
    mine, author = folds_section(workspace), manifest.author
    different = [name for name in mine if mine[name] != manifest.folds.get(name)]
    if not different:
        return "The sections are the same, so a fold function, file or column differs, or a version of scikit-learn"
    shown = ", ".join(
        f"folds.{name} is {mine[name]} here and {manifest.folds.get(name)} at {author}'s" for name in different
    )
    return f"{shown}. Set the same in experiment.yaml; 'seed:' outside of folds: may differ"


def _metric_problem(theirs: MetricRef, ours: MetricRef) -> str:
    mine, given = (ref.model_dump(mode="json", exclude={"root"}) for ref in (ours, theirs))
    different = [name for name in mine if mine[name] != given[name]]
    if not different:
        return ""
    shown = "; ".join(f"{name}: expected {mine[name]}, got {given[name]}" for name in different)
    advice = "the same file, as its code differs" if different == ["code"] else "the same metric: in experiment.yaml"
    return f"metric: {shown}. Use {advice}"
