"""Servers: on loopback, on free ports, and gone with whoever asked for them."""

import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from workbench.errors import ConfigError, StoreError, UserError
from workbench.experiment import Experiment
from workbench.ports import is_free, next_free
from workbench.tracking.mlflow_store import experiment_id, open_client
from workbench.tracking.reachable import without_password
from workbench.tracking.uri import default_uri
from workbench.ui.commands import ServerCommand, tensorboard_command
from workbench.ui.server import Server
from workbench.ui.serving import serve

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(300)
"""
"""A server that does not end when it is asked to, and has a process of its own."""

ASKER = """
import sys, time
from pathlib import Path
from workbench.ui.commands import ServerCommand
from workbench.ui.server import Server

server = Server(ServerCommand("stubborn", 1, (sys.executable, "-c", sys.argv[1]), {}, Path(sys.argv[2])))
time.sleep(300)
"""


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def written(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def http_server(port: int, folder: Path) -> ServerCommand:
    arguments = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(port))
    return ServerCommand("files", port, arguments, dict(os.environ), folder / "server.log")


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


# --- ports -----------------------------------------------------------------------------------------------------------


def test_a_port_is_free_until_somebody_listens_there_and_after(port):
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_a_server_on_all_addresses_has_the_port_too(port):
    with socket.create_server(("0.0.0.0", port)):
        assert not is_free(port)


def test_the_next_free_port_is_behind_the_taken_ones(port):
    with socket.create_server(("127.0.0.1", port)):
        found = next_free(port, taken={port + 1})
    assert found > port + 1
    assert is_free(found)


def test_no_free_port_is_the_users_to_solve():
    with socket.create_server(("127.0.0.1", 65535)), pytest.raises(ConfigError, match="name another one"):
        next_free(65535)


# --- servers and their keepers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_however_the_asker_dies_nothing_is_left_running(number, tmp_path):
    log = tmp_path / "log"
    asker = subprocess.Popen([sys.executable, "-c", ASKER, STUBBORN, str(log)])
    server, child = wait_for(lambda: written(log))
    keeper = psutil.Process(server).ppid()
    os.kill(asker.pid, number)
    assert asker.wait(20) == -number
    wait_for(lambda: not any(map(running, (keeper, server, child))))


def test_a_killed_server_takes_its_children_along(tmp_path):
    log = tmp_path / "log"
    with Server(ServerCommand("stubborn", 1, (sys.executable, "-c", STUBBORN), {}, log)) as kept:
        server, child = wait_for(lambda: written(log))
        os.kill(server, signal.SIGKILL)
        wait_for(lambda: not running(kept.pid))
        assert not running(child)


def test_a_server_ends_with_its_block_and_frees_its_port(port, tmp_path):
    with Server(http_server(port, tmp_path)) as server:
        server.wait_until_ready(30)
        assert not is_free(port)
    assert is_free(port)
    assert not running(server.pid)


def test_a_server_that_ends_by_itself_says_why(port, tmp_path):
    command = (sys.executable, "-c", "raise SystemExit('no database today')")
    with (
        Server(ServerCommand("MLflow", port, command, {}, tmp_path / "logs" / "mlflow.log")) as server,
        pytest.raises(
            StoreError, match=r"MLflow's server ended by itself \(exit code 1\).*mlflow\.log:\n  no database"
        ),
    ):
        server.wait_until_ready(30)


def test_a_server_that_never_answers_is_given_up(port, tmp_path):
    command = (sys.executable, "-c", "import time; time.sleep(300)")
    with (
        Server(ServerCommand("MLflow", port, command, {}, tmp_path / "log")) as server,
        pytest.raises(StoreError, match="does not answer after 1 s"),
    ):
        server.wait_until_ready(1)


@pytest.mark.slow
def test_tensorboard_answers_without_tensorflow(port, tmp_path):
    with Server(tensorboard_command(tmp_path, port)) as server:
        server.wait_until_ready(90)
        processes = psutil.Process(server.pid).children(recursive=True)
        libraries = {Path(m.path).name for process in processes for m in process.memory_maps()}
    assert any(name.startswith("libc") for name in libraries)
    assert not [name for name in libraries if "tensorflow" in name]


# --- the command -----------------------------------------------------------------------------------------------------


def said(experiment: Experiment, **options) -> str:
    console = Console(file=io.StringIO(), width=80)
    serve(console, experiment, **options)
    return console.file.getvalue()


def test_without_a_store_it_says_what_to_run_first(experiment):
    with pytest.raises(UserError, match="nothing has been run yet") as caught:
        said(experiment)
    assert f"workbench run {experiment.root}" in str(caught.value)
    assert not experiment.store.exists()


def test_no_empty_database_is_made(experiment):
    experiment.store.mkdir()
    with pytest.raises(UserError, match="nothing in MLflow yet"):
        said(experiment)
    assert list(experiment.store.iterdir()) == []


def test_a_tracking_server_is_shown_not_started(folder, port):
    uri = f"http://me:secret@127.0.0.1:{port}"
    given = Experiment.from_folder(folder, [f"tracking.uri={uri}", "tracking.tensorboard=false"])
    given.store.mkdir()
    output = said(given)
    assert f"MLflow       http://***@127.0.0.1:{port}\n" in output
    assert "cannot be reached" in output
    assert "secret" not in output


def test_passwords_are_left_out_and_nothing_else():
    assert without_password("https://a:b@host:1/x?y=1") == "https://***@host:1/x?y=1"
    assert without_password("https://host:1/x@y") == "https://host:1/x@y"


def test_a_folder_without_experiment_yaml_is_the_users_mistake(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli", "ui"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "has no experiment.yaml; name an experiment's folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow 3.17 with SQLAlchemy 2.1
def test_ui_serves_both_until_it_is_told_to_end(experiment, port):
    store = experiment.store
    uri = default_uri(store)
    number = experiment_id(open_client(uri, store), experiment.name, uri, store)
    with socket.create_server(("127.0.0.1", port)):
        command = [sys.executable, "-m", "workbench.cli", "ui", str(experiment.root), "--port", str(port)]
        command += ["--tensorboard-port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                lines = [process.stdout.readline().rstrip() for _ in range(4)]
                tree = psutil.Process(process.pid).children(recursive=True)
                sockets = [c for p in tree for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
                places = dict(line.split() for line in lines[2:])
                pages = [_get(place) for place in places.values()]
            finally:
                process.send_signal(signal.SIGINT)
                code = process.wait(30)
    assert all(line.startswith(f"port {port} is taken; ") for line in lines[:2])
    assert places["MLflow"].endswith(f"/#/experiments/{number}/runs?workflowType=machine_learning")
    assert "MLflow" in pages[0]
    assert "TensorBoard" in pages[1]
    assert {c.laddr.ip for c in sockets} == {"127.0.0.1"}
    assert code == 0
    assert not [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def _get(place: str) -> str:
    with closing(http.client.HTTPConnection(place.split("/")[2], timeout=30)) as connection:
        connection.request("GET", "/")
        with connection.getresponse() as response:
            return response.read().decode()
