"""Runs that are safe to call from cron: whose turn it is, with real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from workbench.errors import Busy
from workbench.experiment import Experiment
from workbench.turn import take_turn, turn_file

HOLDER = """
import sys, time
from pathlib import Path
from workbench.turn import take_turn
with take_turn(Path(sys.argv[1]), sys.argv[4], sys.argv[2], say=lambda text: print(text, flush=True)):
    print("mine", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def start(store, busy="leave", seconds=600.0, name="titanic"):
    command = [sys.executable, "-c", HOLDER, str(store), busy, str(seconds), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture
def holder(store):
    """A process that has the turn."""
    process = start(store)
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_turn_that_is_taken_is_left_with_a_message(store, holder):
    said = (
        rf"another run \(process {holder.pid}, since \d\d:\d\d:\d\d\) is at work on 'titanic'.*--busy wait.*--busy join"
    )
    with pytest.raises(Busy, match=said), take_turn(store, "titanic", "leave", print):
        pass
    assert Busy.exit_code == 5


@pytest.mark.usefixtures("holder")
def test_experiments_that_share_a_store_have_a_turn_each(store):
    with take_turn(store, "house_prices", "leave", print):
        pass


def test_who_joins_does_not_wait(store, holder, capsys):
    with take_turn(store, "titanic", "join", print):
        assert holder.poll() is None
    assert "joining it" in capsys.readouterr().out


def test_a_killed_holder_frees_the_turn_for_who_waits(store, holder):
    waiting = start(store, "wait")
    said = waiting.stdout.readline()
    assert f"process {holder.pid}" in said
    assert "waiting" in said
    os.kill(holder.pid, signal.SIGKILL)
    assert waiting.stdout.readline() == "mine\n"
    assert turn_file(store, "titanic").read_text().startswith(f"{waiting.pid} ")
    waiting.kill()
    waiting.wait()
    waiting.stdout.close()
    with take_turn(store, "titanic", "leave", print):
        pass


@pytest.mark.usefixtures("holder")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_ends_by_signals(store, number):
    waiting = start(store, "wait")
    assert "waiting" in waiting.stdout.readline()
    time.sleep(0.1)
    waiting.send_signal(number)
    assert waiting.wait(timeout=10) == -number
    waiting.stdout.close()


@pytest.mark.xdist_group("sweep")
def test_a_run_leaves_or_waits_and_then_finds_everything_done(done):
    holder = start(done.folder / ".workbench", name=Experiment.from_folder(done.folder).name)
    assert holder.stdout.readline() == "mine\n"
    command = [sys.executable, "-m", "workbench.cli", "run", str(done.folder)]
    left = subprocess.run(command, capture_output=True, text=True, check=False)
    assert left.returncode == 5
    assert f"error: another run (process {holder.pid}" in left.stderr
    with subprocess.Popen([*command, "--busy", "wait"], stdout=subprocess.PIPE, text=True) as waiting:
        assert f"another run (process {holder.pid}" in waiting.stdout.readline()
        holder.kill()
        said = waiting.stdout.read()
    holder.wait()
    holder.stdout.close()
    assert waiting.returncode == 0
    assert "every trial is done" in said
