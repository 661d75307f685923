"""Python and the packages: installed versions against what the workbench asks for."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from workbench.doctor.check import Check

SHOWN = ("keras", "jax", "tensorflow", "optuna", "mlflow", "xgboost", "lightgbm", "scikit-learn")
"""Packages with a line of their own; the other requirements share one."""

INSTALL = "make install"


def package_checks() -> Iterator[Check]:
    """Compare what is installed with the requirements of the installed workbench."""
    try:
        own = metadata.distribution("workbench")
    except metadata.PackageNotFoundError:
        remedy = f"Install it, so that its requirements are known: {INSTALL}, or pip install -e ."
        yield Check("packages", "workbench", "warning", "not installed, only found by its path", remedy)
        return
    yield _python(str(own.metadata["Requires-Python"] or ""))
    yield Check("packages", "workbench", "ok", own.version)
    requirements = [Requirement(text) for text in own.requires or ()]
    needed = {
        canonicalize_name(r.name): r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})
    }
    for name in SHOWN:
        requirement = needed.pop(canonicalize_name(name), None)
        if requirement is not None:
            yield package_check(requirement)
    others = [package_check(requirement) for requirement in needed.values()]
    yield from (check for check in others if check.status != "ok")
    well = sum(check.status == "ok" for check in others)
    yield Check("packages", "others", "ok", f"{well} more are as required")


def _python(required: str) -> Check:
    version = platform.python_version()
    if SpecifierSet(required).contains(version, prereleases=True):
        return Check("packages", "python", "ok", version)
    remedy = f"Use one that is {required}: make clean, then PYTHON=python3.12 {INSTALL}."
    return Check("packages", "python", "problem", version, remedy)


def package_check(requirement: Requirement) -> Check:
    """Compare one package with a requirement."""
    name, wanted = requirement.name, str(requirement.specifier) or "any version"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        remedy = f"{INSTALL}, or pip install '{requirement}'"
        return Check("packages", name, "problem", f"not installed; {wanted} is required", remedy)
    if requirement.specifier.contains(version, prereleases=True):
        return Check("packages", name, "ok", version)
    remedy = f"It may work, but is not tested: {INSTALL}, or pip install '{requirement}'"
    return Check("packages", name, "warning", f"{version}; {wanted} is required", remedy)
