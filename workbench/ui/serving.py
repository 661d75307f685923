"""``workbench ui``: which servers an experiment needs, on which ports, until when."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from urllib.parse import urlencode

from rich.console import Console
from rich.text import Text

from workbench import signals
from workbench.errors import Terminated, UserError
from workbench.experiment import Experiment
from workbench.ports import next_free
from workbench.tracking.locks import file_lock
from workbench.tracking.reachable import ask_server, is_server, without_password
from workbench.tracking.uri import sqlite_file, tracking_uri
from workbench.ui.commands import ServerCommand, mlflow_command, tensorboard_command
from workbench.ui.server import Server

READY_SECONDS = 120.0
"""How long servers may take to answer; on a small, busy machine MLflow needs most of a minute."""

LOOK_SECONDS = 0.5
"""How often it is looked whether the servers still run."""


def serve(console: Console, experiment: Experiment, *, port: int = 5000, tensorboard_port: int = 6006) -> None:
    """Serve an experiment's MLflow and TensorBoard on 127.0.0.1 until Ctrl-C.

    Where runs are logged to a tracking server, none is started, and its URL is shown. A taken port gives way to the
    next free one. However this process ends, the servers end with it; their output goes to ``<store>/logs``.

    Raises:
        UserError: there is nothing to show yet, or a port cannot be used.
        StoreError: a server does not start, or ends by itself; the message has the end of its log.
        Terminated: by SIGTERM.
    """
    uri = tracking_uri(experiment.config.tracking, experiment.store)
    _check_store(experiment, uri)
    with signals.listening(terminate=True), ExitStack() as stack:
        try:
            commands = _commands(console, experiment, uri, port, tensorboard_port)
            servers = [stack.enter_context(Server(command)) for command in commands]
            # Every keeper is told before the first one is waited for.
            for server in servers:
                stack.callback(server.release)
            _wait(console, servers)
            _show_places(console, experiment.name, uri, servers)
            _watch(servers)
        except Terminated:
            raise
        except KeyboardInterrupt:
            console.print("stopped")


def _check_store(experiment: Experiment, uri: str) -> None:
    """Refuse to serve what is not there: MLflow would make an empty database."""
    command = f"workbench run {experiment.root}"
    if not experiment.store.is_dir():
        raise UserError(f"nothing has been run yet: there is no store {experiment.store}. Run this first:\n  {command}")
    file = sqlite_file(uri)
    if file is None:
        return
    if not file.is_file():
        raise UserError(
            f"there is nothing in MLflow yet: {file} does not exist. A sweep makes it within its first minute:\n"
            f"  {command}"
        )
    # A sweep that has just begun may be at making its tables, and two at once crash each other.
    with file_lock(experiment.store / "mlflow.lock"):
        pass


def _commands(
    console: Console, experiment: Experiment, uri: str, port: int, tensorboard_port: int
) -> list[ServerCommand]:
    store, taken = experiment.store, set[int]()
    commands = []
    if not is_server(uri) and not uri.startswith("databricks"):
        free = _port(console, "MLflow", port, taken)
        taken.add(free)
        commands.append(mlflow_command(uri, store, free))
    elif is_server(uri) and (answer := ask_server(uri)).reach != "answers":
        console.print(Text(f"{without_password(uri)}: {answer.text}", style="yellow"))
    if experiment.config.tracking.tensorboard or (store / "tensorboard").is_dir():
        commands.append(tensorboard_command(store, _port(console, "TensorBoard", tensorboard_port, taken)))
    return commands


def _port(console: Console, name: str, wanted: int, taken: set[int]) -> int:
    port = next_free(wanted, taken)
    if port != wanted:
        console.print(Text(f"port {wanted} is taken; {name} gets {port}", style="yellow"))
    return port


def _wait(console: Console, servers: list[Server]) -> None:
    names = " and ".join(server.command.name for server in servers)
    if names:
        with console.status(f"starting {names} …"):
            for server in servers:
                server.wait_until_ready(READY_SECONDS)


def _show_places(console: Console, experiment: str, uri: str, servers: list[Server]) -> None:
    places = {} if any(server.command.name == "MLflow" for server in servers) else {"MLflow": without_password(uri)}
    for server in servers:
        page = _runs_page(server, experiment) if server.command.name == "MLflow" else ""
        places[server.command.name] = server.command.url + page
    for name, place in places.items():
        console.print(Text(f"{name:<13}{place}"), soft_wrap=True)  # a link that is broken into lines cannot be followed
    if servers:
        console.print(Text("Ctrl-C ends them", style="dim"))


def _runs_page(mlflow: Server, experiment: str) -> str:
    """Return the path of an experiment's runs; MLflow's own first page is about language models."""
    answer = mlflow.get(f"/api/2.0/mlflow/experiments/get-by-name?{urlencode({'experiment_name': experiment})}")
    found = {} if answer is None else json.loads(answer).get("experiment", {})
    identifier = found.get("experiment_id")
    return f"/#/experiments/{identifier}/runs?workflowType=machine_learning" if identifier else ""


def _watch(servers: list[Server]) -> None:
    while servers:
        time.sleep(LOOK_SECONDS)
        for server in servers:
            server.check()
