import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.search.bench import Bench

ROOT = Path(__file__).parents[2]


class Patient:
    """A driver process of the stub, its ledger, and ways to hurt it."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.lines = []

    def run(self, **options):
        """Start a driver; its lines are in `lines`."""
        command = [sys.executable, "-m", "tests.faults.sweeping", str(self.folder), json.dumps(options)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.processes.append(process)
        process.heard = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        return process

    def _read(self, process):
        for line in process.stdout:
            self.lines.append(line.rstrip())
            process.heard.put(line.rstrip())

    def until(self, process, text, seconds=60.0):
        """Wait for a line."""
        end = time.monotonic() + seconds
        while True:
            line = process.heard.get(timeout=max(0.1, end - time.monotonic()))
            if text in line:
                return line

    def end(self, process, seconds=90.0):
        """Wait for the exit code."""
        return process.wait(timeout=seconds)

    def workers(self, process):
        """Return the driver's worker processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children()
            return [child for child in children if "workbench.execution.worker" in " ".join(child.cmdline())]
        return []

    def bench(self):
        """Open the ledger and the vault."""
        return Bench(self.folder)

    def trials(self, name="stub"):
        """Return the trials of a family."""
        bench = self.bench()
        try:
            return bench.ledger.trials(bench.lane(name).study.id)
        finally:
            bench.ledger.close()

    def attempts(self):
        """Return the states of ended attempts by trial number."""
        bench, found = self.bench(), {}
        for _, _, event in bench.ledger.events(0, limit=10_000):
            if event.kind == "trial.finished":
                found.setdefault(event.number, []).append(event.state)
        bench.ledger.close()
        return found

    def executions(self):
        """Return the fit keys that were trained, in their order."""
        bench = self.bench()
        try:
            return bench.executions()
        finally:
            bench.ledger.close()

    def close(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


@pytest.fixture
def patient(tmp_path):
    made = Patient(tmp_path)
    yield made
    made.close()
