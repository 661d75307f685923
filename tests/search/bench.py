"""A ledger, a vault, and searches of the stub runner."""

import json
import time

from workbench.execution.contract import ExecutorOptions
from workbench.execution.inline import InlineExecutor
from workbench.search.driver import Driver
from workbench.search.engine import EngineOptions
from workbench.search.keys import Ground
from workbench.search.lane import Lane
from workbench.search.progress import Silent
from workbench.search.random_engine import RandomEngine
from workbench.store.database import sqlite_url
from workbench.store.ledger import Ledger
from workbench.store.vault import Vault
from workbench.types import FamilyRef, Job, MetricRef, Parameter, Space, TrainingSettings

RUNNER = "tests.stub_runner:run"
METRIC = MetricRef(name="rmse")


class Bench:
    """A ledger, a vault, and searches of the stub."""

    def __init__(self, folder):
        self.folder = folder
        self.vault = Vault(folder / "vault")
        self.ledger = Ledger.open(sqlite_url(folder / "ledger.db"))
        self.sweep = self.ledger.open_sweep("e")

    def lane(self, name="stub", total=6, fixed=None, engine=RandomEngine, seed=0, **options):
        family = FamilyRef(name=name, factory="tests:stub", code="1")
        ground = Ground(data_key="d", plan_key="p", metric=METRIC, settings=TrainingSettings(), seed=seed)
        template = Job(
            kind="fit",
            job_id="",
            dataset=self.folder,
            plan=self.folder,
            family=family,
            metric=METRIC,
            vault=self.vault.root,
        )
        fixed = fixed or {}
        space = Space(
            parameters=(
                Parameter(name="x", kind="float", low=-1.0, high=1.0, default=0.0),
                Parameter(name="y", kind="int", low=0, high=8, default=4),
                *(Parameter(name=key, kind="fixed", default=value) for key, value in fixed.items()),
            )
        )
        study = self.ledger.open_study(ground.study_key("e", family), "e", name, ground.parts(family))
        lane = Lane(
            study=study,
            space=space,
            engine=engine(EngineOptions("minimize", seed)),
            ground=ground,
            template=template,
            total=total,
            direction="minimize",
            **options,
        )
        lane.restore(self.ledger.trials(study.id), self.ledger.reports)
        return lane

    def search(self, *lanes, executor=InlineExecutor, workers=1, seconds=None, observer=None, memory=None, **options):
        asked = ExecutorOptions(runner=RUNNER, logs=self.folder, workers=workers, grace_s=1.0, worker_memory=memory)
        made = executor(asked)
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            Driver(self.ledger, made, self.sweep, list(lanes), observer or Silent(), deadline, **options).run()
        finally:
            made.close()
        return [trial for lane in lanes for trial in self.ledger.trials(lane.study.id)]

    def executions(self):
        log = self.vault.root / "executions.log"
        return [json.loads(line)["fit_key"] for line in log.read_text().splitlines()] if log.exists() else []


class Telling(Silent):
    """An observer that keeps what it is told."""

    def __init__(self):
        self.notices, self.news = [], []

    def notice(self, text):
        self.notices.append(text)

    def trial(self, news):
        self.news.append(news)
