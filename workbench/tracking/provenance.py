"""What a sweep ran on: the code's commit and the versions of what it used."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "workbench",
    "keras",
    "jax",
    "tensorflow",
    "optuna",
    "keras-tuner",
    "mlflow",
    "xgboost",
    "lightgbm",
    "scikit-learn",
    "scipy",
    "numpy",
    "pandas",
)
"""Packages whose versions can change a score."""

GIT_SECONDS = 10.0


def provenance(root: Path) -> dict[str, str]:
    """Return git's commit of the folder ``root`` and whether it is dirty, and the versions of Python and packages.

    Nothing is imported for it. Without git, or outside of a repository, ``git_commit`` and ``git_dirty`` are absent;
    so are packages that are not installed.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        found["git_commit"] = commit
        found["git_dirty"] = "true" if _dirty(root) else "false"
    return found


def _dirty(root: Path) -> bool:
    """Say whether a tracked file was changed, or code or configuration under ``root`` is not tracked at all."""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    unknown = _git(root, "ls-files", "--others", "--exclude-standard", "--", "*.py", "*.yaml")
    return bool(changed or unknown)


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
