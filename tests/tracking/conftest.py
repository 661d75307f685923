"""A ledger with a small story in it, and MLflow stores whose schema is made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.store.ledger import Ledger
from workbench.tracking.environment import ENVIRONMENT

for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its schema and nothing else; to migrate one takes seconds."""
    from workbench.tracking.mlflow_store import open_client

    folder = tmp_path_factory.mktemp("mlflow")
    open_client(f"sqlite:///{folder / 'mlflow.db'}", folder)
    return folder / "mlflow.db"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path, empty_mlflow: Path) -> Path:
    """A workbench folder in which MLflow's database is ready."""
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def uri(store: Path) -> str:
    from workbench.tracking.uri import default_uri

    return default_uri(store)
