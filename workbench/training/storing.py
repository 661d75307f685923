"""Into the vault: a new fit as a whole, or what an older one lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from workbench.store.vault import Vault, write_predictions, write_result
from workbench.training.bundle import load_predictor
from workbench.training.material import Material
from workbench.training.outcome import WriteBundle
from workbench.types import TrialResult


def stored(material: Material) -> TrialResult | None:
    """Return what the vault holds of this fit, or ``None`` when it must be trained, as a screening always is.

    Predictions of a test table that came later are made from the bundles. Without bundles the fit is trained again.
    """
    job, dataset, key = material.job, material.dataset, material.fit_key
    if job.vault is None or not key or job.screen is not None:
        return None
    vault = Vault(job.vault)
    if not vault.has(key):
        return None
    if dataset.test_rows is not None and not _test_file(vault, key, material).exists():
        bundles = _bundles(vault, key, material)
        if not all((bundle / "bundle.json").is_file() for bundle in bundles):
            return None
        root, ref = job.family.root, job.family.features
        rows = dataset.raw("test") if ref is not None or dataset.test is None else dataset.test
        predicted = [load_predictor(bundle, root, ref.root if ref else None).predict(rows) for bundle in bundles]
        _write_array(_test_file(vault, key, material), np.mean(predicted, axis=0))
    return vault.result(key).model_copy(update={"cached": True})


def store(
    material: Material,
    result: TrialResult,
    oof: Sequence[NDArray[np.float64]],
    test: NDArray[np.float64] | None,
    bundles: Sequence[WriteBundle],
) -> None:
    """Write a fit; of one that is there already only what it lacks: its predictions stay those that were blended.

    A screening is not written: it is no fit.
    """
    job = material.job
    if job.vault is None or job.screen is not None:
        return
    vault = Vault(job.vault)
    if vault.has(result.fit_key):
        _complete(vault, result.fit_key, material, test, bundles)
        return
    with vault.writing(result.fit_key) as folder:
        write_predictions(folder, oof, test, material.dataset.test_key)
        for index, write in enumerate(bundles):
            write(folder / f"split{index}")
        write_result(folder, result)


def _complete(
    vault: Vault, key: str, material: Material, test: NDArray[np.float64] | None, bundles: Sequence[WriteBundle]
) -> None:
    for folder, write in zip(_bundles(vault, key, material), bundles, strict=True):
        if not folder.exists():
            temporary = folder.with_name(f"part-{folder.name}-{uuid4().hex[:8]}")
            write(temporary)
            temporary.rename(folder)
    if test is not None and not _test_file(vault, key, material).exists():
        _write_array(_test_file(vault, key, material), test)


def _bundles(vault: Vault, key: str, material: Material) -> list[Path]:
    folder = vault.folder(key)
    return [folder / f"split{i}" for i in range(material.plan.splits)]


def _test_file(vault: Vault, key: str, material: Material) -> Path:
    return vault.folder(key) / f"test-{material.dataset.test_key}.npy"


def _write_array(file: Path, array: NDArray[np.float64]) -> None:
    """Write all or nothing."""
    temporary = file.with_name(f"part-{os.getpid()}-{file.name}")
    np.save(temporary, np.asarray(array, dtype=np.float64), allow_pickle=False)
    temporary.replace(file)
