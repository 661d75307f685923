"""``manifest.json`` of a pack: what it holds, of whom, and on what its trials stand.

A pack (``.wbz``) is a zip of ``manifest.json``, ``fits/<fit key>/`` as the vault has them (predictions, and the models
of the splits where they go along), and ``code/<n>/``: the modules that a user's factories and feature sets need.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from workbench.types import BASE_FAMILY, FamilyRef, MetricRef, Scalar, TrialResult, Value, trial_name

VERSION = 1
"""Of packs. A newer one is refused."""

FILE = "manifest.json"
FITS, CODE, OOF = "fits", "code", "oof.npz"

MAX_FILES, MAX_TRIALS = 100_000, 10_000
"""More than any team exchanges, and few enough to be looked at."""

Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Author = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,39}$")]
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
"""What a terminal may be shown."""

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}(\+\w[\w.\-]{0,99})?")
"""A family, on a feature set perhaps: ``lightgbm+v2``."""

REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""``module:attribute``."""

FIT_KEY = re.compile(r"[0-9a-f]{16}")

TRIAL_PATH = re.compile(
    rf"{re.escape(OOF)}|test-[0-9a-f]{{16}}\.npy"
    r"|split\d{1,4}/(features/)?[A-Za-z0-9][A-Za-z0-9_\-]{0,99}\.(json|npz|npy|txt|ubj|cbm|skops|parquet)"
)
"""A file of a fit: what `workbench.training.bundle` writes, and nothing that a pickle could be in."""

CODE_PATH = re.compile(r"\d{1,4}/([^\W\d]\w{0,99}/){0,8}[^\W\d]\w{0,99}\.py")


class PackedFile(Value):
    """A file of the pack, by its path below its folder."""

    path: str = Field(max_length=1000)
    size: int = Field(ge=0)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PackedTrial(Value):
    """A complete trial."""

    number: int = Field(ge=0, lt=2**31)
    family: FamilyRef
    """Its ``name`` is the label, such as ``lightgbm+v2``; roots are those below ``code/``, ``None`` for built-ins."""
    result: TrialResult
    """As the ledger has it; ``values`` are those that the factory asked for."""
    note: Text = ""
    files: tuple[PackedFile, ...]

    @property
    def fit_key(self) -> str:
        """The key of its fit at the author's."""
        return self.result.fit_key

    @property
    def name(self) -> str:
        """Its name at the author's, such as ``lightgbm#0017``."""
        return trial_name(self.family.name, self.number)

    @property
    def bundled(self) -> bool:
        """Whether the models of its splits are in the pack, so that it can be exported."""
        return any(file.path.startswith("split") for file in self.files)


class Manifest(Value):
    """What a pack holds."""

    version: Literal[1] = 1
    workbench: Text
    """Version of the program that wrote it."""
    author: Author
    experiment: Text
    metric: MetricRef
    data_key: Key
    test_key: Key | Literal[""]
    """Of the test table whose predictions go along; empty without one."""
    plan_key: Key
    splits: int = Field(ge=1, le=10_000)
    folds: dict[str, int | Text | None]
    """The author's ``folds:`` section, its seed filled in: to say what differs."""
    outputs: int = Field(ge=1)
    classes: tuple[Scalar, ...] = ()
    trials: tuple[PackedTrial, ...] = Field(max_length=MAX_TRIALS)
    code: tuple[PackedFile, ...] = ()
    """Files below ``code/``."""

    def problem(self) -> str:
        """Return what the types cannot say and is wrong, or an empty string."""
        names = [file.path for file in self.code]
        if odd := next((name for name in names if not CODE_PATH.fullmatch(name)), None):
            return f"a file of code is called {odd!r}"
        for trial in self.trials:
            if said := _trial_problem(trial):
                return f"{trial.name[:120]!r}: {said}"
        keys = [trial.fit_key for trial in self.trials]
        ids = [(trial.family.name, trial.number) for trial in self.trials]
        if len(set(keys)) < len(keys) or len(set(ids)) < len(ids):
            return "it names a trial twice"
        if len(names) + sum(len(trial.files) for trial in self.trials) > MAX_FILES:
            return f"it has more than {MAX_FILES} files"
        return ""


def _trial_problem(trial: PackedTrial) -> str:
    paths = [file.path for file in trial.files]
    if odd := next((path for path in paths if not TRIAL_PATH.fullmatch(path)), None):
        return f"it has a file {odd!r}, which is no part of a fit"
    if len(set(paths)) < len(paths) or OOF not in paths:
        return "its files occur twice, or it has no out-of-fold predictions"
    if not FIT_KEY.fullmatch(trial.fit_key) or trial.result.screened:
        return "it has no whole fit"
    if not LABEL.fullmatch(trial.family.name) or trial.family.name == BASE_FAMILY:
        return "its family's name is none"
    if any(len(str(part)) > 500 or not str(part).isprintable() for part in _words(trial)):
        return "its values or references are too long, or hold characters that are not printable"
    return ""


def _words(trial: PackedTrial) -> list[object]:
    family, values = trial.family, trial.result.values
    features = [] if family.features is None else [family.features.name, family.features.reference]
    return [family.factory, family.preparation, family.code, *features, *values, *values.values()]
