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


def test_loopback_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        connection.close()


def test_a_test_runs_in_an_empty_folder_with_a_tracking_store_of_its_own(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path
    assert str(tmp_path) in os.environ["MLFLOW_TRACKING_URI"]
    assert list(tmp_path.iterdir()) == []
