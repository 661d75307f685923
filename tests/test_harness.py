"""The test harness itself: a leak in it would make other tests pass for the wrong reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def test_connecting_to_another_machine_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(PermissionError, match=r"this machine only, not to 192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))
    with socket.socket() as sock, pytest.raises(PermissionError, match="this machine only"):
        sock.connect_ex(("192.0.2.1", 80))


@pytest.mark.keras  # for its group only
def test_tests_that_start_keras_share_one_process(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("only under 'pytest -n 2 --dist loadgroup', as 'make test' runs it")
    assert request.node.nodeid.endswith("@keras")


def test_loopback_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        connection.close()


def test_a_test_runs_in_an_empty_folder_and_knows_no_tracking_server(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert list(tmp_path.iterdir()) == []
