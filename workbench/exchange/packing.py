"""``workbench pack``: the best trials of an experiment, complete, in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import workbench
from workbench.errors import ConfigError, FactoryError, NothingToDeliver, StoreError
from workbench.exchange.archive import Writer, writing
from workbench.exchange.author import author_name, whoever
from workbench.exchange.ground import folds_section
from workbench.exchange.manifest import (
    CODE,
    FILE,
    FIT_KEY,
    FITS,
    LABEL,
    OOF,
    Manifest,
    PackedFile,
    PackedTrial,
)
from workbench.experiment import Experiment
from workbench.models.identity import code_identity, reached_files
from workbench.store.ledger import Trial
from workbench.training.bundle import FILES
from workbench.types import BASE_FAMILY, FamilyRef
from workbench.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class Packed:
    """What was packed."""

    file: Path
    manifest: Manifest
    notices: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.stat().st_size


def pack(
    experiment: Experiment | Path | str, out: Path, *, top: int = 20, author: str | None = None, bundles: bool = True
) -> Packed:
    """Write the best trials of an experiment into a file that a team member can merge.

    The best are those over all families, by score; the base family and what other members gave are left out. Where a
    fit's models were not kept (the ten best of a family are), or the code that made them has changed since, its
    predictions go alone.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        out: the file, such as ``alice.wbz``; one that is there is replaced.
        top: at most so many trials.
        author: who packs; without it git's ``user.name``, else the login name.
        bundles: whether the models of the splits go along; without them a trial cannot be exported.

    Raises:
        ConfigError: the author's name, or the file's, cannot be used.
        NothingToDeliver: no trial is complete.
        StoreError: the store cannot be read, or the file cannot be written.
    """
    experiment = Experiment.of(experiment)
    name = author_name(author if author is not None else whoever(experiment.root))
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file: -o {out / f'{name}.wbz'}")
    if not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent} to write {out.name} into; make it, or name another")
    with open_workspace(experiment) as workspace:
        chosen = _best(workspace, top)
        if not chosen:
            raise NothingToDeliver(
                f"'{experiment.name}' as it is now has no complete trial with its fit in {experiment.store} to pack; "
                f"run it first: workbench run {experiment.root}"
            )
        with writing(out) as writer:
            manifest, notices = _Packing(workspace, writer, bundles).packed(name, chosen)
            writer.text(manifest.model_dump_json(indent=1) + "\n", "", FILE)
    return Packed(out, manifest, tuple(notices))


def _best(workspace: Workspace, top: int) -> list[Trial]:
    """Return the best trials whose fits are there, each fit once; of equal ones the first by name."""
    own = [trial for study in workspace.studies for trial in workspace.ledger.trials(study.id)]
    scored = [
        (workspace.metric.loss(trial.result.score), trial.family, trial.number, trial)
        for trial in own
        if trial.result is not None and trial.family != BASE_FAMILY and np.isfinite(trial.result.score)
    ]
    found: dict[str, Trial] = {}
    for *_, trial in sorted(scored, key=lambda each: each[:3]):
        if len(found) == top:
            break
        if trial.result is not None and workspace.vault.has(trial.result.fit_key):
            found.setdefault(trial.result.fit_key, trial)
    return list(found.values())


@dataclass
class _Packing:
    """Trials on their way into a pack."""

    workspace: Workspace
    writer: Writer
    bundles: bool
    roots: dict[Path, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    """Files of code by their path below ``code/``."""
    withheld: dict[str, str] = field(default_factory=dict)
    """Why the models of a family stay at home, by its name."""

    def packed(self, author: str, chosen: Sequence[Trial]) -> tuple[Manifest, list[str]]:
        """Write the trials and the code, and return the list of them and what there is to be said."""
        workspace, schema = self.workspace, self.workspace.dataset.schema
        families = {family.name: self._portable(family) for family in workspace.families}
        trials = tuple(self._trial(trial, families[trial.family]) for trial in chosen)
        used = {str(part) for trial in trials if trial.bundled for part in _roots(trial.family)}
        wanted = sorted(path for path in self.files if f"{CODE}/{path.partition('/')[0]}" in used)
        manifest = Manifest(
            workbench=workbench.__version__,
            author=author,
            experiment=workspace.experiment.name,
            metric=workspace.ground.metric.model_copy(update={"root": None}),
            data_key=workspace.dataset.key,
            test_key=workspace.dataset.test_key,
            plan_key=workspace.plan.key,
            splits=workspace.plan.splits,
            folds=folds_section(workspace),
            outputs=schema.outputs,
            classes=schema.classes,
            trials=trials,
            code=tuple(self.writer.copy(self.files[path], CODE, path) for path in wanted),
        )
        if said := manifest.problem():
            raise StoreError(f"this cannot be packed: {said}")
        return manifest, self._notices(trials)

    def _portable(self, family: FamilyRef) -> FamilyRef:
        """Return a family whose code lies in the pack, and remember the files of it."""
        changes: dict[str, object] = {}
        try:
            if family.root is not None:
                changes["root"] = self._take(family.factory, family.root, family.code)
            if (features := family.features) is not None:
                root = self._take(features.reference, features.root, features.code)
                changes["features"] = features.model_copy(update={"root": root})
        except FactoryError as error:
            self.withheld[family.name] = str(error)
        return family.model_copy(update=changes)

    def _take(self, reference: str, root: Path, code: str) -> Path:
        root = root.resolve()
        if code_identity(reference, root) != code:
            raise FactoryError(f"{reference.partition(':')[0]}.py was edited just now; pack again")
        folder = self.roots.setdefault(root, str(len(self.roots)))
        for file in reached_files(reference, root):
            self.files[f"{folder}/{file.resolve().relative_to(root).as_posix()}"] = file
        return Path(CODE) / folder

    def _trial(self, trial: Trial, family: FamilyRef) -> PackedTrial:
        result = trial.result
        if result is None or not FIT_KEY.fullmatch(result.fit_key) or not LABEL.fullmatch(trial.family):
            raise StoreError(f"{trial.name} has no fit that can be packed")
        folder = self.workspace.vault.folder(result.fit_key)
        where = f"{FITS}/{result.fit_key}"
        bundles = self._bundles(trial, folder)
        files = [self._bundle_file(path, folder, where) for bundle in bundles for path in _files(bundle)]
        for name in (OOF, f"test-{self.workspace.dataset.test_key}.npy"):
            if (folder / name).is_file():
                files.append(self.writer.copy(folder / name, where, name))
        kept = result.model_copy(update={"cached": False, "unfused": "", "fused": ""})
        return PackedTrial(
            number=trial.number, family=family, result=kept, note=_printable(trial.note), files=tuple(files)
        )

    def _bundles(self, trial: Trial, folder: Path) -> list[Path]:
        """Return the folders of a trial's models, if all are there and may go."""
        bundles = [folder / f"split{split}" for split in range(self.workspace.plan.splits)]
        whole = all((bundle / name).is_file() for bundle in bundles for name in FILES)
        return bundles if self.bundles and whole and trial.family not in self.withheld else []

    def _bundle_file(self, path: Path, folder: Path, where: str) -> PackedFile:
        """Add a model's file; where its code lay in training is nobody's business, and told by the list."""
        name = path.relative_to(folder).as_posix()
        if path.name != "bundle.json":
            return self.writer.copy(path, where, name)
        about = json.loads(path.read_text("utf-8"))
        about.pop("family", None)
        return self.writer.text(json.dumps(about, indent=1) + "\n", where, name)

    def _notices(self, trials: Sequence[PackedTrial]) -> list[str]:
        notices = [f"{family} goes without its models: {why}" for family, why in self.withheld.items()]
        alone = [trial.name for trial in trials if not trial.bundled]
        if alone and self.bundles:
            shown = ", ".join(alone[:5]) + (" …" if len(alone) > 5 else "")
            notices.append(f"predictions alone of {len(alone)}, whose models were not kept: {shown}")
        if not self.workspace.dataset.test_key:
            notices.append("there is no test table, so no predictions of one go along")
        return notices


def _files(bundle: Path) -> Iterator[Path]:
    yield from (path for path in sorted(bundle.rglob("*")) if path.is_file())


def _roots(family: FamilyRef) -> list[Path]:
    return [part.root for part in (family, family.features) if part is not None and part.root is not None]


def _printable(note: str) -> str:
    return "".join(letter for letter in note if letter.isprintable() or letter == "\n")[:2000]
