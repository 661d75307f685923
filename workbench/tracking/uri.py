"""Which MLflow store runs are logged to."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.config.models import TrackingConfig


def tracking_uri(config: TrackingConfig, store: Path) -> str:
    """Return the configured URI, else ``MLFLOW_TRACKING_URI``, else that of ``mlflow.db`` in the store."""
    return config.uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(store)


def default_uri(store: Path) -> str:
    """Return the URI of the store's own SQLite file, in whatever folder a later process runs."""
    return f"sqlite:///{(store / 'mlflow.db').resolve().as_posix()}"


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite URI, ``None`` for any other kind of store."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy.engine import make_url

    database = make_url(uri).database
    return Path(database) if database else None
