"""What a search has left for blending, as arrays: predictions of every complete trial, and labels of both tables."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.ensembles.members import Candidate, Members
from workbench.metrics import Array, load_metric
from workbench.types import MetricRef

VERSION = 1


@dataclass(frozen=True)
class Searched:
    """A data set's members, and their predictions of the test table.

    Attributes:
        name: The data set's.
        members: All complete trials, in the order of their families and numbers.
        test: Predictions of the test table, ``(members, test rows, outputs)``.
        test_y: Its labels, ``(test rows,)``.
    """

    name: str
    members: Members
    test: Array
    test_y: Array

    def take(self, places: list[int]) -> Searched:
        """Return some of the members alone."""
        return replace(self, members=self.members.take(places), test=self.test[places])

    def canonical(self) -> Searched:
        """Return the members as methods see them, equal ones once, with their predictions of the test table."""
        members = self.members.canonical()
        places = {ref.fit_key: i for i, ref in enumerate(self.members.refs)}
        return replace(self, members=members, test=self.test[[places[ref.fit_key] for ref in members.refs]])

    def best_of_each(self, count: int) -> list[int]:
        """Return the places of the best ``count`` of each family by cross-validation, as a run chooses members."""
        members, found = self.members, dict[str, list[int]]()
        for i in sorted(range(len(members)), key=lambda i: (members.metric.loss(members.refs[i].score), i)):
            found.setdefault(members.refs[i].family, []).append(i)
        return sorted(i for places in found.values() for i in places[:count])

    def write(self, folder: Path) -> Path:
        """Write one file, without pickle; return its path."""
        members = self.members
        about = {
            "version": VERSION,
            "metric": members.metric.name,
            "classification": members.classification,
            "plan_key": members.plan_key,
            "refs": [asdict(ref) for ref in members.refs],
        }
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.npz"
        arrays: dict[str, Any] = {
            "oof": members.predictions,
            "y": members.y,
            "split": members.split,
            "row": members.row,
            "test": self.test,
            "test_y": self.test_y,
        }
        if members.weight is not None:
            arrays["weight"] = members.weight
        np.savez(file, about=np.array(json.dumps(about)), **arrays)
        return file

    @classmethod
    def read(cls, folder: Path, name: str) -> Searched:
        """Read what `write` has written.

        Raises:
            FileNotFoundError: there is no such file; ``--search`` makes it.
        """
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            members = Members(
                refs=tuple(Candidate(**ref) for ref in about["refs"]),
                predictions=arrays["oof"],
                y=arrays["y"],
                weight=arrays.get("weight"),
                split=arrays["split"],
                row=arrays["row"],
                metric=load_metric(MetricRef(name=about["metric"])),
                plan_key=about["plan_key"],
                classification=about["classification"],
            )
            return cls(name, members, arrays["test"], arrays["test_y"])
