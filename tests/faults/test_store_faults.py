"""Processes that really are killed between two writes of one fact, and disks that really are full."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests import stub_runner
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger
from workbench.store.repair import repair_vault
from workbench.store.vault import Vault
from workbench.types import FamilyRef, Job, MetricRef, TrainingSettings

ROOT = Path(__file__).parents[2]

PLACES = (
    "in the vault's writing",
    "before the vault's renaming",
    "between vault and ledger",
    "between the ledger's finish and its event",
    "between result.json and the delivery",
)

DRIVERS = """
import os, sys
from pathlib import Path
from tests.faults.test_store_faults import PLACES, finished, job, place
from tests import stub_runner
from workbench.store import event_log, vault as vaults
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger

def die(*_, **__):
    os._exit(9)

def drive(where, store):
    ledger = Ledger.open(sqlite_url(store / "ledger.db"))
    claim = ledger.claim(ledger.open_study("k", "e", "stub"), ledger.open_sweep("e"), 1)
    if where == PLACES[0]:
        stub_runner.write_result = die
    if where == PLACES[1]:
        vaults.Vault._move = die
    result = stub_runner.run(job(store), lambda _: False)
    if where == PLACES[2]:
        die()
    if where == PLACES[3]:
        event_log.append = die
    ledger.finish(claim, finished(claim, result))
    (store / "result.json").write_text("{}")
    die()

for where in PLACES:  # everything is imported once: each driver is a process nevertheless
    if not (child := os.fork()):
        drive(where, place(Path(sys.argv[1]), where))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end=" ", flush=True)
"""


def place(root: Path, where: str) -> Path:
    """Return the store of the driver that was killed at a place; made if it is absent."""
    made = root / str(PLACES.index(where))
    made.mkdir(exist_ok=True)
    return made


def job(store: Path) -> Job:
    """Return the one fit of these tests."""
    return Job(
        kind="fit",
        job_id="1",
        dataset=store,
        plan=store,
        family=FamilyRef(name="stub", factory="", code=""),
        metric=MetricRef(name="rmse"),
        settings=TrainingSettings(),
        seed=0,
        vault=store / "vault",
        values={"x": 0.3, "y": 2},
        fit_key="ab12",
    )


def finished(claim, result):
    """Return the event of a complete trial."""
    from workbench.store.events import TrialFinished

    return TrialFinished(
        sweep=claim.sweep,
        study=claim.study.id,
        trial=claim.trial,
        attempt=claim.attempt,
        family="stub",
        number=claim.number,
        state="complete",
        result=result,
    )


def run_python(program: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, which finds the tests' modules."""
    command = [*prefix, sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> Path:
    """The folder of the stores of drivers that were killed, one at each place."""
    root = tmp_path_factory.mktemp("stores")
    done = run_python(DRIVERS, root)
    assert done.stdout.split() == ["9"] * len(PLACES), done.stderr
    return root


@pytest.mark.parametrize(
    ("where", "executions", "leftovers"), list(zip(PLACES, (2, 2, 1, 1, 1), (1, 1, 0, 0, 0), strict=True))
)
def test_a_driver_killed_between_two_writes_doubles_and_loses_nothing(stores, where, executions, leftovers):
    store = place(stores, where)
    url = sqlite_url(store / "ledger.db")
    with closing(Ledger.open(url)) as ledger:
        ended = where == PLACES[4]
        assert ledger.reap() == (0 if ended else 1)
        assert ledger.last_delivery("e") is None
        study, sweep = ledger.open_study("k", "e", "stub"), ledger.open_sweep("e")
        claim = ledger.claim(study, sweep, 1)
        assert (claim is None) == ended
        if claim is not None:
            ledger.finish(claim, finished(claim, stub_runner.run(job(store), lambda _: False)))
        assert ledger.counts(study.id) == {"complete": 1}
        states = [event.state for _, _, event in ledger.events(0) if event.kind == "trial.finished"]
        assert states == (["complete"] if ended else ["lost", "complete"])
    assert len((store / "vault" / "executions.log").read_text().splitlines()) == executions
    found = repair_vault(Vault(store / "vault"), ["ab12"])
    assert (found.sound, found.leftovers, found.damaged, found.missing) == (1, leftovers, {}, frozenset())


# --- a disk that is full ---------------------------------------------------------------------------------------------

FULL = """
import os, sys
from pathlib import Path
import numpy as np
from tests.faults.test_store_faults import finished
from workbench.errors import StoreError
from workbench.store.backup import back_up, damage
from workbench.store.database import sqlite_url
from workbench.store.disk import free_mb, is_full
from workbench.store.ledger import Ledger
from workbench.store.vault import Vault, write_predictions, write_result
from workbench.types import Reported, TrialResult

disk = Path(sys.argv[1])
url = sqlite_url(disk / "ledger.db")
ledger = Ledger.open(url)
study, sweep = ledger.open_study("k", "e", "stub"), ledger.open_sweep("e")
claim = ledger.claim(study, sweep, 10_000)
before = free_mb(disk)

def fill():
    with (disk / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as error:
            assert is_full(error)
            assert free_mb(disk) < 0.01 < before

def told(call):
    try:
        while True:
            call()
    except StoreError as error:
        assert is_full(error), error
        print(error)

def write_much():
    with Vault(disk / "vault").writing("cd34") as folder:
        np.save(folder / "oof.npy", np.zeros(2**20))

def fit():
    with Vault(disk / "vault").writing("ab12") as folder:
        result = TrialResult(score=0.5, score_se=0.1, scores=(0.5,), values={}, fit_key="ab12")
        write_predictions(folder, [np.zeros((4, 1))], None, "")
        write_result(folder, result)
    return result

told(write_much)
assert list((disk / "vault" / "tmp").iterdir()) == []
fill()
told(fit)
told(lambda: ledger.claim(study, sweep, 10_000))
rows = [(claim.attempt, Reported(job_id="1", split=0, epoch=epoch, value=0.5)) for epoch in range(1, 20_000)]
told(lambda: ledger.write_reports(rows))
told(lambda: back_up(url))
assert ledger.reports(claim.attempt) == []
running = ledger.counts(study.id)["running"]
left = sorted(path.name for path in disk.iterdir())
assert left == ["filler", "ledger.db", "ledger.db-journal", "vault"], left

(disk / "filler").unlink()
assert damage(disk / "ledger.db") == ""
ledger.finish(claim, finished(claim, fit()))
ledger.write_reports(rows[:9])
assert back_up(url).trials == running
assert (ledger.counts(study.id)["complete"], sum(ledger.counts(study.id).values())) == (1, running)
assert len(ledger.reports(claim.attempt)) == 9
assert Vault(disk / "vault").has("ab12")
"""


@pytest.fixture
def small_disk() -> tuple[str, ...]:
    """A command's beginning that mounts a disk of 2 MiB on the folder ``disk``; only that command sees it."""
    mount = 'mount -t tmpfs -o size=2m none disk && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    Path("disk").mkdir()
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk of its own can be mounted here: {error}")
    return prefix


def test_a_full_disk_is_told_and_leaves_everything_sound(small_disk):
    done = run_python(FULL, "disk", prefix=small_disk)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 5
    assert "1048576 requested and" in said[0]
    assert "No space left on device" in said[1]
    assert all("database or disk is full" in line for line in said[2:]), said
