"""What the tests of the experiments share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbench.search.progress import Silent
from workbench.search_budget import resolve_budget
from workbench.search_stage import open_search
from workbench.store.ledger import Trial
from workbench.workspace import Workspace


@pytest.fixture
def searched() -> Callable[[Workspace], dict[str, Trial]]:
    """Return a function that gives each family one trial, and returns it by the family's name: the last one made."""

    def search(workspace: Workspace) -> dict[str, Trial]:
        sweep = workspace.ledger.open_sweep(workspace.experiment.name)
        with open_search(workspace, resolve_budget(workspace, 1, 0, None), Silent()) as opened:
            opened.run(sweep)
        trials = workspace.trials()
        assert all(trial.result is not None for trial in trials), trials
        return {trial.family: trial for trial in trials}

    return search
