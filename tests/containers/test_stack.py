"""The services of compose.yaml as plain processes: its own command lines, environments and checks, read from the file.

Names of containers become addresses of this machine, and folders of volumes temporary ones; nothing else is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.postgres import PASSWORD, unused_port
from workbench.store.ledger import Ledger

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("postgres"), pytest.mark.timeout(300)]
START_SECONDS = 120.0

EXPERIMENT = """
data: {train: train.csv, test: test.csv, target: y, id: id}
metric: auc
folds: {splits: 3}
families: [dummy, lightgbm]
search: {trials: 2}
training: {rounds: 20}
"""


class Stack:
    """The services' words, as they are said on this machine."""

    def __init__(self, compose: Path, folder: Path, postgres_port: int) -> None:
        self._services = yaml.safe_load(compose.read_text())["services"]
        self.folder, self.mlflow_port = folder, unused_port()
        self._here = {
            "@postgres:5432": f"@127.0.0.1:{postgres_port}",
            "http://mlflow:5000": self.mlflow,
            "http://127.0.0.1:5000": self.mlflow,
            "0.0.0.0": "127.0.0.1",
        }
        self._whole = {"5000": str(self.mlflow_port), "python": sys.executable}
        self._variables = {"POSTGRES_PASSWORD": PASSWORD, "EXPERIMENT": "small", "TIME": "3m"}

    @property
    def mlflow(self) -> str:
        return f"http://127.0.0.1:{self.mlflow_port}"

    def words(self, service: str, *keys: str) -> list[str]:
        """Return the words under keys of a service, one list after the other."""
        return [self._said(word) for key in keys for word in self._services[service][key]]

    def check(self, service: str) -> list[str]:
        """Return the command of a service's health check."""
        return [self._said(word) for word in self._services[service]["healthcheck"]["test"][1:]]

    def environment(self, service: str) -> dict[str, str]:
        """Return this process's environment with what a service sets."""
        mine = self._services[service]["environment"]
        said = {key: self._said(value) for key, value in mine.items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path} | said

    def _said(self, word: str) -> str:
        """Replace variables as compose does, then names and folders of containers."""
        word = re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda m: self._variables.get(m[1], m[2]), word)
        for there, here in self._here.items():
            word = word.replace(there, here)
        if word.startswith("/"):  # folders of volumes
            word = str(self.folder / word[1:])
        return self._whole.get(word, word)


@pytest.fixture(scope="module")
def stack(repository, postgres, tmp_path_factory):
    made = Stack(repository / "docker" / "compose.yaml", tmp_path_factory.mktemp("stack"), postgres.port)
    postgres.execute("CREATE DATABASE workbench")  # the image makes POSTGRES_DB
    for statement in (repository / "docker" / "databases.sql").read_text().split(";")[:-1]:
        postgres.execute(statement)
    yield made
    for name in ("workbench", "mlflow"):
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def server(stack):
    """The MLflow server, once its own health check passes."""
    log = stack.folder / "mlflow.log"
    environment = stack.environment("mlflow")
    with log.open("wb") as output:
        process = subprocess.Popen(
            stack.words("mlflow", "entrypoint", "command"),
            cwd=stack.folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(stack.check("mlflow"), env=environment, capture_output=True).returncode:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.5)
        yield stack.mlflow
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def swept(stack, server):  # noqa: ARG001
    """One sweep, as `docker compose run sweep` does it."""
    from tests.sweep.conftest import write_tables

    folder = stack.folder / "experiments" / "small"
    folder.mkdir(parents=True)
    write_tables(folder)
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    done = subprocess.run(
        ["workbench", *stack.words("sweep", "command")],
        cwd=stack.folder,
        env=stack.environment("sweep"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_names_that_containers_use_are_let_in_and_others_are_not(server):
    def status(host):
        request = urllib.request.Request(f"{server}/api/2.0/mlflow/experiments/search?max_results=1")
        request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status("mlflow:5000") == 200
    assert status("localhost:5000") == 200
    assert status("elsewhere.example:5000") == 403


def test_the_ledger_lies_in_postgresql(stack, swept):
    (setting,) = [word for word in stack.words("sweep", "command") if word.startswith("ledger=")]
    ledger = Ledger.open(setting.removeprefix("ledger=").replace("workbench@", f"workbench:{PASSWORD}@"))
    try:
        started = [event.family for _, _, event in ledger.events(0) if event.kind == "trial.started"]
    finally:
        ledger.close()
    assert sorted(started) == ["dummy", "lightgbm", "lightgbm"]
    assert not (swept / ".workbench" / "ledger.db").exists()


def test_runs_and_artifacts_are_on_the_server(stack, server, swept, tmp_path):
    from mlflow import MlflowClient

    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("small")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["wb.kind"] for run in runs) == ["blend", "sweep", "trial", "trial", "trial"]
    (sweep,) = [run for run in runs if run.data.tags["wb.kind"] == "sweep"]
    submission = Path(client.download_artifacts(sweep.info.run_id, "submission.csv", str(tmp_path)))
    (delivered,) = swept.glob(".workbench/sweeps/*/submission.csv")
    assert submission.read_bytes() == delivered.read_bytes()
    assert list((stack.folder / "artifacts").rglob("submission.csv"))
    assert not (swept / ".workbench" / "mlflow.db").exists()
    assert client.get_model_version_by_alias("small", "champion").version == "1"


def test_no_password_is_left_in_files(stack, swept):
    texts = [path for path in stack.folder.rglob("*") if path.is_file()]
    assert swept / "experiment.yaml" in texts
    assert [str(path) for path in texts if PASSWORD.encode() in path.read_bytes()] == []
