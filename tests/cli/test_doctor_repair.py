"""``workbench doctor --repair`` on stores that really are broken. MLflow's part is in tests/tracking."""

import os
import random
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from workbench.doctor.repair import mend_experiment, repair
from workbench.doctor.store import store_checks
from workbench.errors import Busy
from workbench.experiment import Experiment
from workbench.store.backup import back_up
from workbench.store.events import TrialFinished
from workbench.store.ledger import Ledger
from workbench.store.vault import Vault, write_predictions, write_result
from workbench.turn import take_turn
from workbench.types import TrialResult

OLD = 8 * 86400


@pytest.fixture
def experiment(folder) -> Experiment:
    """An experiment whose MLflow server is away."""
    return Experiment.from_folder(folder, ["tracking.uri=http://127.0.0.1:9"])


@pytest.fixture
def vault(experiment) -> Vault:
    return Vault(experiment.store / "vault")


def search(experiment: Experiment, keys: list[str]) -> None:
    """Leave a closed ledger with a complete trial of each fit key, whose fits are in the vault."""
    vault = Vault(experiment.store / "vault")
    with closing(Ledger.open(experiment.ledger_url)) as ledger:
        study, sweep = ledger.open_study("k", experiment.name, "mlp"), ledger.open_sweep(experiment.name)
        for key in keys:
            claim = ledger.claim(study, sweep, 100)
            names = {"sweep": sweep, "study": study.id, "trial": claim.trial, "attempt": claim.attempt}
            result = TrialResult(score=1.0, score_se=0.1, scores=(1.0,), values={"kind": "two words"}, fit_key=key)
            with vault.writing(key) as made:
                write_predictions(made, [[[1.0]]], None, "")
                write_result(made, result)
            ended = TrialFinished(**names, family="mlp", number=claim.number, state="complete", result=result)
            ledger.finish(claim, ended)


def mended(experiment: Experiment) -> str:
    """Repair, and return what it says."""
    return "\n".join(f"{step.name}: {step.done}" for step in repair(experiment))


def test_a_store_that_is_not_there_yet_needs_nothing(experiment):
    assert "nothing to repair" in mended(experiment)
    assert not experiment.store.exists()


@pytest.mark.parametrize("how", ["garbage", "empty", "gone"])
def test_a_damaged_ledger_gives_way_to_its_backup(experiment, how):
    search(experiment, ["aa01"])
    back_up(experiment.ledger_url)
    search(experiment, ["bb02"])
    file = experiment.store / "ledger.db"
    garbage = random.Random(0).randbytes(50_000)
    file.unlink() if how == "gone" else file.write_bytes(b"" if how == "empty" else garbage)
    (experiment.store / "sweeps" / "0002").mkdir(parents=True)
    (problem,) = [check for check in store_checks(experiment) if check.status == "problem"]
    assert f"workbench doctor {experiment.root} --repair moves it away and puts ledger.db.backup of" in problem.remedy
    said = mended(experiment)
    assert "In its place is ledger.db.backup of" in said
    assert "with 1 trials" in said
    assert "0002 is of a sweep that the ledger does not know; it is 0002.unknown-" in said
    assert "2 sound fits; no trial names 1 of them; they are kept as a cache" in said
    aside = [file for file in experiment.store.glob("ledger.db.damaged-*") if not file.name.endswith("-journal")]
    assert [each.read_bytes() for each in aside] == {"garbage": [garbage], "empty": [b""], "gone": []}[how]
    assert "ledger.db is sound" in mended(experiment)


def test_a_damaged_ledger_without_a_backup_is_left_alone(experiment):
    experiment.store.mkdir()
    (experiment.store / "ledger.db").write_bytes(b"garbage" * 1000)
    lines = []
    assert not mend_experiment(experiment, lambda text: lines.append(text.plain))
    (line,) = lines
    assert "There is no sound backup beside it. Move it away to begin a new one" in line
    assert (experiment.store / "ledger.db").read_bytes() == b"garbage" * 1000


def test_trials_and_sweeps_of_a_dead_driver_are_given_back(experiment):
    program = (
        "import sys; from workbench.store.ledger import Ledger; l = Ledger.open(sys.argv[1]);"
        "l.claim(l.open_study('k', 'houses', 'mlp'), l.open_sweep('houses'), 5)"
    )
    experiment.store.mkdir()
    subprocess.run([sys.executable, "-c", program, experiment.ledger_url], check=True)
    assert "sweeps: 1 trial of dead drivers queued; sweep 1 closed as interrupted" in mended(experiment)
    assert "sweeps: none was left by a dead driver" in mended(experiment)


def test_the_vault_is_read_and_cleared_of_what_nobody_will_use(experiment, vault):
    search(experiment, ["aa01", "bb02", "cc03"])
    (vault.folder("aa01") / "oof.npz").write_bytes(b"torn")
    dead = vault.root / "tmp" / f"dd04~1~{socket.gethostname()}+{os.getpid()}+0"  # its number is another's now
    of_another_version, fresh = vault.root / "tmp" / "dd04-12345678", vault.root / "tmp" / "dd04-87654321"
    part = vault.folder("bb02") / "part-split0-1"
    checkpoints = [vault.root / "checkpoints" / name for name in ("bb02", "ee05")]
    for path in (dead, of_another_version, fresh, part, *checkpoints):
        path.mkdir(parents=True)
    for path in (of_another_version, part, checkpoints[0]):
        os.utime(path, (0, path.stat().st_mtime - OLD))
    said = mended(experiment)
    assert "vault: 2 sound fits; 3 leftovers removed; 1 old checkpoint removed" in said
    assert f"the fit aa01 of mlp#0000 is now below {vault.root / 'damaged'}" in said
    command = f"workbench try {experiment.root} mlp --values 'kind=two words'"
    assert f"mlp#0000 keeps its score and cannot be blended; to train it anew: {command}" in said
    left = [path.exists() for path in (dead, of_another_version, part, checkpoints[0], fresh, checkpoints[1])]
    assert left == [False, False, False, False, True, True]
    assert vault.lost("aa01")
    assert "vault: 2 sound fits\n" in mended(experiment)


def test_what_a_living_writer_writes_is_left_alone(vault):
    with vault.writing("aa01") as folder:
        from workbench.store.repair import repair_vault

        assert repair_vault(vault, []).leftovers == 0
        assert folder.is_dir()


def test_a_server_that_is_away_is_told_and_left(experiment):
    search(experiment, ["aa01"])
    lines = []
    assert not mend_experiment(experiment, lambda text: lines.append(text.plain))
    assert "cannot be reached" in lines[-1]


def test_nothing_is_repaired_while_a_run_is_at_work_in_the_store(experiment):
    with take_turn(experiment.store, "flats", "leave", print), pytest.raises(Busy, match="on 'flats'; repair when"):
        mended(experiment)


def test_the_command_needs_an_experiment_and_says_what_it_did(folder):
    command = [sys.executable, "-m", "workbench.cli", "doctor", "--repair"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: --repair needs an experiment: workbench doctor DIR --repair\n")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("folder ")
    assert Path(folder, ".workbench").exists() is False
