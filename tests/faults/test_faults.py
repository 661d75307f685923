"""The table of faults: what happens when workers, drivers, memory, disks and factories let a search down.

Each row with real processes. What lies between two writes of one fact, first touches, many writers and damaged files
are in ``test_store_faults.py``; Keras' own faults are in ``tests/training``.
"""

import contextlib
import os
import queue
import signal
import time

import psutil
import pytest

from workbench.search.driver import STOP_SECONDS


def alive(processes):
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_that_is_killed_in_mid_epoch_costs_one_retry_and_nobody_else_anything(patient):
    driver = patient.run(trials=8, workers=2, lanes={"stub": {"sleep": 0.1}})
    patient.until(driver, "stub#0001 complete")
    said = None
    while said is None:  # a worker that is killed between two trials costs nothing
        patient.workers(driver)[0].kill()
        with contextlib.suppress(queue.Empty):
            said = patient.until(driver, "the worker", seconds=5.0)
    assert "it is tried once more" in said
    assert patient.end(driver) == 0
    assert [t.state for t in patient.trials()] == ["complete"] * 8
    states = sorted(patient.attempts().values())
    assert states == [["complete"]] * 7 + [["lost", "complete"]]


def test_workers_end_with_a_driver_that_is_killed_and_the_next_run_goes_on(patient):
    options = {"trials": 10, "workers": 3, "lanes": {"stub": {"sleep": 0.1}}}
    driver = patient.run(**options)
    patient.until(driver, "stub#0003 complete")
    workers = patient.workers(driver)
    assert len(workers) == 3
    driver.kill()
    _, left = psutil.wait_procs(workers, timeout=5.0)
    assert not alive(left)
    done = [t for t in patient.trials() if t.state == "complete"]
    assert patient.end(patient.run(**options)) == 0
    trials = patient.trials()
    assert [(t.number, t.state) for t in trials] == [(n, "complete") for n in range(10)]
    assert {t.id: t.result for t in done}.items() <= {t.id: t.result for t in trials}.items()
    runs = patient.executions()
    assert all(runs.count(t.result.fit_key) == 1 for t in done)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_driver_gives_its_trials_back(patient, number, code):
    options = {"trials": 6, "workers": 2, "lanes": {"stub": {"sleep": 0.15}}}
    driver = patient.run(**options)
    patient.until(driver, "stub#0000 complete")
    workers, began = patient.workers(driver), time.monotonic()
    driver.send_signal(number)
    assert patient.end(driver) == code
    assert time.monotonic() - began < STOP_SECONDS
    assert not alive(workers)
    assert {t.state for t in patient.trials()} == {"complete", "queued"}
    assert patient.end(patient.run(**options)) == 0
    assert [t.state for t in patient.trials()] == ["complete"] * 6


def test_a_second_signal_ends_it_at_once(patient):
    driver = patient.run(trials=3, workers=1, lanes={"stub": {"fault": "hang"}}, lane={"trial_seconds": 3600.0})
    while not patient.trials() or patient.trials()[0].state != "running":
        time.sleep(0.2)
    time.sleep(1.0)
    workers = patient.workers(driver)
    driver.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert driver.poll() is None, "the trial has time to end its epoch"
    began = time.monotonic()
    driver.send_signal(signal.SIGINT)
    assert patient.end(driver) == 130
    assert time.monotonic() - began < 3.0
    assert not alive(workers)
    assert [t.state for t in patient.trials()] == ["queued"]


def test_a_loss_that_is_no_number_is_a_failure_and_never_the_best(patient):
    lanes = {"nan": {"fault": "nonfinite"}, "inf": {"fault": "infinite score"}, "fine": {}}
    assert patient.end(patient.run(trials=4, workers=2, lanes=lanes)) == 0
    assert [t.failure.code for t in patient.trials("nan")] == ["nonfinite"] * 3
    assert [t.failure.code for t in patient.trials("inf")] == ["nonfinite"] * 3
    assert all(t.result is None for name in ("nan", "inf") for t in patient.trials(name))
    assert [t.state for t in patient.trials("fine")] == ["complete"] * 4


def test_a_trial_that_takes_too_much_memory_has_failed_and_is_not_repeated(patient):
    lanes = {"big": {"fault": "allocate"}, "fine": {"sleep": 0.05}}
    assert patient.end(patient.run(trials=2, workers=2, memory=700, lanes=lanes)) == 0
    (first, *_) = failed = patient.trials("big")
    assert [t.failure.code for t in failed] == ["oom"] * len(failed)
    assert "training.worker_memory" in first.failure.message
    assert [t.state for t in patient.trials("fine")] == ["complete"] * 2


def test_where_it_is_asked_for_half_the_batch_size_is_tried(patient):
    driver = patient.run(trials=2, workers=1, lanes={"stub": {"fault": "oom at full batch"}}, halve_on_oom=True)
    assert patient.end(driver) == 0
    assert [(t.state, t.result.batch_scale) for t in patient.trials()] == [("complete", 0.5)] * 2
    assert any("half the batch size" in line for line in patient.lines)


@pytest.mark.parametrize(("fault", "says"), [("raise", "boom"), ("exit", "sys.exit(3)")])
def test_a_family_whose_factory_fails_stops_and_the_others_go_on(patient, fault, says):
    assert patient.end(patient.run(trials=5, workers=2, lanes={"bad": {"fault": fault}, "good": {}})) == 0
    failed = patient.trials("bad")
    assert 3 <= len(failed) <= 4, "with two workers one more may be under way"
    assert {t.failure.code for t in failed} == {"factory"}
    assert all(says in t.failure.message and "Traceback" in t.failure.traceback for t in failed)
    assert [t.state for t in patient.trials("good")] == ["complete"] * 5
    assert any("3 trials failed in a row" in line for line in patient.lines)


def test_a_trial_that_hangs_and_heeds_nothing_is_killed(patient):
    lanes = {"hung": {"fault": "hang deaf"}, "fine": {"sleep": 0.05}}
    driver = patient.run(trials=1, workers=2, lanes=lanes, lane={"trial_seconds": 1.0})
    assert patient.end(driver) == 0
    (hung,) = patient.trials("hung")
    assert (hung.state, hung.failure.code) == ("failed", "timeout")
    assert patient.trials("fine")[0].state == "complete"


def test_two_drivers_on_one_ledger_share_an_exact_budget(patient):
    options = {"trials": 24, "workers": 2, "lanes": {"stub": {"sleep": 0.02}}}
    drivers = [patient.run(**options) for _ in range(2)]
    assert [patient.end(driver) for driver in drivers] == [0, 0]
    trials = patient.trials()
    assert [(t.number, t.state) for t in trials] == [(n, "complete") for n in range(24)]
    assert set(map(len, patient.attempts().values())) == {1}
    assert len({str(t.values) for t in trials}) == 24


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_driver_that_is_stopped_for_a_while_goes_on(patient):
    driver = patient.run(trials=6, workers=2, lanes={"stub": {"sleep": 0.05}})
    patient.until(driver, "stub#0000 complete")
    driver.send_signal(signal.SIGSTOP)
    time.sleep(2.0)
    driver.send_signal(signal.SIGCONT)
    assert patient.end(driver) == 0
    assert [t.state for t in patient.trials()] == ["complete"] * 6
