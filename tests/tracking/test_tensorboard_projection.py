from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event as TensorBoardEvent
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata

from tests.tracking import story
from workbench.store.ledger import Ledger
from workbench.tracking.projector import replay
from workbench.tracking.tensorboard_projection import TensorBoardProjection

SWEEP = "0001"


@pytest.fixture
def root(ledger: Ledger, tmp_path: Path) -> Path:
    story.tell(ledger)
    replay(ledger, [TensorBoardProjection(ledger, tmp_path)])
    return tmp_path / "tensorboard" / SWEEP


def read(folder: Path) -> list[tuple[int, Summary.Value]]:
    """Return what is in a folder's event file; TensorBoard's own reader would import TensorFlow."""
    (file,) = folder.glob("events.out.tfevents.*")
    data, found, at = file.read_bytes(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        entry = TensorBoardEvent.FromString(data[at + 12 : at + 12 + length])
        found += [(entry.step, value) for value in entry.summary.value]
        at += length + 16
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for step, value in read(folder):
        if not value.HasField("metadata"):
            found.setdefault(value.tag, []).append((step, value.simple_value))
    return found


def test_curves_of_every_split_and_their_mean(root: Path) -> None:
    found = scalars(root / "lightgbm#0000")
    parts = ("mean", "s0", "s1", "s2")
    assert set(found) == {f"{curve}/{p}" for curve in ("val_log_loss", "loss") for p in parts}
    points = found["val_log_loss/s0"]
    assert (points[0][0], points[-1][0]) == (1, 120)


def test_values_and_score_are_hparams(root: Path) -> None:
    folder = root / "lightgbm#0000" / "hparams"
    assert set(scalars(folder)) == {"score", "score_se"}
    assert scalars(folder)["score"] == [(0, pytest.approx(0.8))]
    contents = {value.tag: value.metadata.plugin_data.content for _, value in read(folder)}
    start = contents[metadata.SESSION_START_INFO_TAG]
    values = metadata.parse_session_start_info_plugin_data(start).hparams
    assert values["family"].string_value == "lightgbm"
    assert values["num_leaves"].number_value == 31.0
    assert set(values) == {"family", "learning_rate", "num_leaves"}


def test_a_trial_without_a_whole_result_has_its_curves_only(root: Path) -> None:
    assert sorted(path.name for path in root.iterdir()) == [
        "lightgbm#0000",
        "lightgbm#0001",
        "lightgbm#0002",
        "mlp#0003",
        "mlp#0004",
    ]
    assert sorted(path.parent.name for path in root.glob("*/hparams")) == ["lightgbm#0000", "mlp#0003"]
    assert "val_log_loss/mean" in scalars(root / "lightgbm#0001")
    assert max(scalars(root / "mlp#0003")["loss/s0"])[0] == 40, "the curves of the whole trial, not of its screening"


def test_a_replay_leaves_every_file_as_it_is(ledger: Ledger, root: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    replay(ledger, [TensorBoardProjection(ledger, tmp_path)])
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_folder_that_is_half_there_is_written_anew(ledger: Ledger, root: Path, tmp_path: Path) -> None:
    folder = root / "lightgbm#0000"
    whole = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path in whole:
        (folder / path).unlink()
    (folder / "events.out.tfevents.1.other").write_bytes(b"torn")
    replay(ledger, [TensorBoardProjection(ledger, tmp_path)])
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole


def test_tensorflow_is_not_imported(ledger: Ledger, tmp_path: Path) -> None:
    story.tell(ledger)
    code = (
        "import sys; from pathlib import Path; from workbench.store.ledger import Ledger;"
        "from workbench.tracking.projector import replay;"
        "from workbench.tracking.tensorboard_projection import TensorBoardProjection;"
        f"ledger = Ledger.open({ledger.url!r});"
        f"replay(ledger, [TensorBoardProjection(ledger, Path({str(tmp_path)!r}))]);"
        "sys.exit('tensorflow' in sys.modules or 'torch' in sys.modules or 'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tensorboard" / SWEEP / "mlp#0003").is_dir()
