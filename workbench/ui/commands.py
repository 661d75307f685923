"""How MLflow's and TensorBoard's servers are started, and when they are there."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from workbench.ports import LOOPBACK
from workbench.tracking.environment import ENVIRONMENT


@dataclass(frozen=True)
class ServerCommand:
    """A server of this machine's loopback address."""

    name: str
    port: int
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    health: str = "/"
    """A path that answers 200 when the server is ready."""

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.port}"


def mlflow_command(uri: str, store: Path, port: int) -> ServerCommand:
    """Return MLflow's server on a database: one process, with artifacts where sweeps put them."""
    arguments = ["-P", "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    arguments += ["--backend-store-uri", uri, "--no-serve-artifacts"]
    arguments += ["--default-artifact-root", (store / "mlartifacts").resolve().as_uri()]
    settings = {
        **ENVIRONMENT,
        # Evaluation jobs of language models: five more processes of 240 MB that nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment = {**settings, **os.environ}
    # These would be taken for options of the server.
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        environment.pop(name, None)
    log = store / "logs" / "mlflow.log"
    return ServerCommand("MLflow", port, (sys.executable, *arguments), environment, log, "/health")


def tensorboard_command(store: Path, port: int) -> ServerCommand:
    """Return TensorBoard on a store's event files; ones that come later are found."""
    arguments = ["-P", "-m", "workbench.ui.tensorboard_server", "--host", LOOPBACK, "--port", str(port)]
    arguments += ["--logdir", str(store / "tensorboard"), "--reload_interval", "5"]
    log = store / "logs" / "tensorboard.log"
    return ServerCommand("TensorBoard", port, (sys.executable, *arguments), dict(os.environ), log)
