"""Trials of estimators, trained once for the session."""

from __future__ import annotations

import pytest

from tests.delivery.trained import FACTORY, Trained, built_in, train
from workbench.models.identity import code_identity
from workbench.types import FamilyRef


@pytest.fixture(scope="session")
def estimators(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """``dummy``, ``lightgbm`` and a family of the user's own, whose factory imports a neighbouring file."""
    root = tmp_path_factory.mktemp("estimators")
    code = root / "experiment"
    code.mkdir()
    (code / "factories.py").write_text(FACTORY)
    (code / "helpers.py").write_text("def depth():\n    return 3\n")
    identity = code_identity("factories:forest", code)
    forest = FamilyRef(name="forest", factory="factories:forest", root=code, preparation="native", code=identity)
    return train(root, {"dummy": built_in("dummy"), "lightgbm": built_in("lightgbm"), "forest": forest})
